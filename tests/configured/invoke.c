/* Invokes a function, {} its payload, with nothing set but by the environment and the flags, and prints one line of JSON:
 * {"describe": what lambda_client_describe says, "calls": [what became of each call]}. A client that could not be made is
 * one call that failed, and null for its description.
 *
 *     invoke FUNCTION [--describe-only] [--calls N] [--threads N] [--forks N] [--unset NAME] [--search FILE] [--stdin]
 *            [--block-signal N] [setters]
 *
 * --forks: after the calls, so many children make one call each; "forked" counts those whose call was good.
 * --search: a file with masked secrets; a last line of JSON says how often each is left in memory at the end.
 * --unset: a variable that is unset once the client is made. --stdin: a round of calls for every line that comes in, with a line of JSON each, all by one client. */

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lambda_invoke.h"

static const char *function;
static unsigned calls = 1;
static unsigned threads = 1;
static unsigned forks;
static const char *unset;
static const char *secrets;
static bool describe_only;
static bool rounds;

static lambda_client *client;
static lambda_result **results;
static pthread_barrier_t start;

static void fail(const char *what) {
    fprintf(stderr, "invoke: %s\n", what);
    exit(2);
}

static void print_text(const char *text, size_t len) {
    if (text == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_string(const char *text) {
    print_text(text, text == NULL ? 0 : strlen(text));
}

static void print_result(const lambda_result *result) {
    static const char *const executions[] = {"UNKNOWN", "NONE", "RAN", "QUEUED"};
    printf(
        "{\"status\": \"%s\", \"execution\": \"%s\", \"http_status\": %d, \"attempts\": %u, \"duration_ms\": %" PRIu64,
        lambda_status_name(result->status), executions[result->execution], (int)result->http_status,
        (unsigned)result->attempts, result->duration_us / 1000);
    fputs(", \"error_type\": ", stdout);
    print_string(result->error_type);
    fputs(", \"error_message\": ", stdout);
    print_string(result->error_message);
    fputs(", \"payload\": ", stdout);
    print_text((const char *)result->payload, result->payload_len);
    putchar('}');
}

static void print_refusal(lambda_error *error) {
    printf("{\"describe\": null, \"calls\": [{\"status\": \"%s\", \"execution\": \"NONE\", \"http_status\": 0, "
           "\"attempts\": 0, \"duration_ms\": 0, \"error_type\": null, \"error_message\": ",
        lambda_status_name(lambda_error_status(error)));
    print_string(lambda_error_message(error));
    fputs(", \"payload\": \"\"}]}\n", stdout);
    lambda_error_free(error);
}

static void *call(void *place) {
    lambda_result **out = place;
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, function);
    lambda_request_set_payload(request, "{}", 2);
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < calls; i++) {
        out[i] = lambda_invoke(client, request);
    }
    lambda_request_free(request);
    return NULL;
}

/* How many of the children made a good call. */
static unsigned fork_children(void) {
    unsigned good = 0;
    for (unsigned i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            lambda_request *request = lambda_request_new();
            lambda_request_set_function_name(request, function);
            lambda_result *result = lambda_invoke(client, request);
            _exit(result->status == LAMBDA_OK ? 0 : 1);
        }
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) != child) {
            fail("no child");
        }
        good += status == 0;
    }
    return good;
}

/* Calls from all threads at the same moment, and one line about them. */
static void make_round(void) {
    char *description = lambda_client_describe(client);
    if (description == NULL) {
        fail("lambda_client_describe gave nothing");
    }
    printf("{\"describe\": %s, \"calls\": [", description);
    lambda_string_free(description);
    if (!describe_only) {
        pthread_t *running = calloc(threads, sizeof *running);
        results = calloc((size_t)threads * calls, sizeof(lambda_result *));
        if (running == NULL || results == NULL || pthread_barrier_init(&start, NULL, threads) != 0) {
            fail("no memory");
        }
        for (unsigned i = 0; i < threads; i++) {
            if (pthread_create(&running[i], NULL, call, results + (size_t)i * calls) != 0) {
                fail("no thread");
            }
        }
        for (unsigned i = 0; i < threads; i++) {
            pthread_join(running[i], NULL);
        }
        for (size_t i = 0; i < (size_t)threads * calls; i++) {
            fputs(i == 0 ? "" : ", ", stdout);
            print_result(results[i]);
            lambda_result_free(results[i]);
        }
        pthread_barrier_destroy(&start);
        free(running);
        free(results);
    }
    fputs("]", stdout);
    if (forks != 0) {
        fflush(stdout);
        printf(", \"forked\": %u", fork_children());
    }
    fputs("}\n", stdout);
    fflush(stdout);
}

static void log_line(void *user_data, int32_t level, const char *target, const char *message) {
    (void)user_data;
    fprintf(stderr, "hook %d %s %s\n", (int)level, target, message);
}

static void block(int number) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

enum { MASK = 0x55, MAX_SECRET = 4096 };

/* How often a secret stands in this process's memory. The secret comes masked, so that the search does not find itself. */
static unsigned count_in_memory(int memory, const char *masked, size_t len) {
    static char window[1 << 20];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from = 0, to = 0;
        char access[5] = "";
        if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3 || access[0] != 'r' || access[1] != 'w') {
            continue;
        }
        for (unsigned long long at = from; at < to;) {
            size_t want = to - at < sizeof window ? (size_t)(to - at) : sizeof window;
            ssize_t got = pread(memory, window, want, (off_t)at);
            if (got < (ssize_t)len) {
                break;
            }
            for (size_t i = 0; i + len <= (size_t)got; i++) {
                size_t same = 0;
                while (same < len && (char)(window[i + same] ^ MASK) == masked[same]) {
                    same++;
                }
                /* The window itself is part of the memory that is searched. */
                unsigned long long place = at + i;
                bool is_own = place >= (unsigned long long)(size_t)window &&
                              place < (unsigned long long)(size_t)window + sizeof window;
                count += same == len && !is_own;
            }
            at += (unsigned long long)got == want && at + want < to ? want - len + 1 : want;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    memset(window, 0, sizeof window);
    return count;
}

/* Prints how often each secret of a file, one masked secret after its length in a byte each, is left in memory. */
static void search_memory(const char *path) {
    char masked[MAX_SECRET];
    FILE *file = fopen(path, "rb");
    int memory = open("/proc/self/mem", O_RDONLY);
    if (file == NULL || memory < 0) {
        fail("nothing to search for");
    }
    fputs("{\"left\": [", stdout);
    unsigned char size[2];
    for (unsigned n = 0; fread(size, 1, 2, file) == 2; n++) {
        size_t len = (size_t)size[0] << 8 | size[1];
        if (len > sizeof masked || fread(masked, 1, len, file) != len) {
            fail("a secret is too long");
        }
        printf("%s%u", n == 0 ? "" : ", ", count_in_memory(memory, masked, len));
    }
    fputs("]}\n", stdout);
    close(memory);
    fclose(file);
}

/* Whether the flag is one that takes a value and sets nothing of a client. */
static bool is_about_the_program(const char *flag, const char *value) {
    if (strcmp(flag, "--calls") == 0) {
        calls = (unsigned)atoi(value);
    } else if (strcmp(flag, "--threads") == 0) {
        threads = (unsigned)atoi(value);
    } else if (strcmp(flag, "--search") == 0) {
        secrets = value;
    } else if (strcmp(flag, "--unset") == 0) {
        unset = value;
    } else if (strcmp(flag, "--forks") == 0) {
        forks = (unsigned)atoi(value);
    } else if (strcmp(flag, "--block-signal") == 0) {
        block(atoi(value));
    } else {
        return false;
    }
    return true;
}

/* If a setter rejects its value, then lambda_client_new reports it. */
static bool is_setter(lambda_config *config, const char *flag, const char *value) {
    if (strcmp(flag, "--region") == 0) {
        lambda_config_set_region(config, value);
    } else if (strcmp(flag, "--profile") == 0) {
        lambda_config_set_profile(config, value);
    } else if (strcmp(flag, "--endpoint-url") == 0) {
        lambda_config_set_endpoint_url(config, value);
    } else if (strcmp(flag, "--proxy") == 0) {
        lambda_config_set_proxy(config, value);
    } else if (strcmp(flag, "--ca-bundle") == 0) {
        lambda_config_set_ca_bundle(config, value);
    } else if (strcmp(flag, "--app-id") == 0) {
        lambda_config_set_app_id(config, value);
    } else if (strcmp(flag, "--fips") == 0) {
        lambda_config_set_use_fips(config, atoi(value));
    } else if (strcmp(flag, "--dual-stack") == 0) {
        lambda_config_set_use_dual_stack(config, atoi(value));
    } else if (strcmp(flag, "--timeout-ms") == 0) {
        lambda_config_set_timeout_ms(config, strtoull(value, NULL, 10));
    } else if (strcmp(flag, "--connect-timeout-ms") == 0) {
        lambda_config_set_connect_timeout_ms(config, strtoull(value, NULL, 10));
    } else if (strcmp(flag, "--max-attempts") == 0) {
        lambda_config_set_max_attempts(config, (uint32_t)strtoul(value, NULL, 10));
    } else if (strcmp(flag, "--log-level") == 0) {
        lambda_config_set_log(config, atoi(value), log_line, NULL, NULL);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fail("which function?");
    }
    function = argv[1];
    lambda_config *config = lambda_config_new();
    bool is_set = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--describe-only") == 0) {
            describe_only = true;
        } else if (strcmp(argv[i], "--stdin") == 0) {
            rounds = true;
        } else if (i + 1 == argc) {
            fail("a flag has no value");
        } else if (is_about_the_program(argv[i], argv[i + 1])) {
            i++;
        } else if (is_setter(config, argv[i], argv[i + 1])) {
            is_set = true;
            i++;
        } else {
            fail("unknown flag");
        }
    }

    lambda_error *error = NULL;
    if (lambda_client_new(is_set ? config : NULL, &client, &error) != LAMBDA_OK) {
        print_refusal(error);
        lambda_config_free(config);
        return 0;
    }
    lambda_config_free(config);
    if (unset != NULL) {
        unsetenv(unset);
    }
    char line[16];
    if (!rounds) {
        make_round();
    } else {
        while (fgets(line, sizeof line, stdin) != NULL) {
            make_round();
        }
    }
    lambda_client_free(client);
    if (secrets != NULL) {
        search_memory(secrets);
    }
    return 0;
}
