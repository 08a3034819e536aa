/* The runner for C; README.md has the protocol. Every field goes through its own function of lambda_invoke.h. */

#include <lambda_invoke.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the harness sends must be well-formed: anything else is a mistake of one of the two, not of the library. */
static void fail(const char *why, const char *what) {
    fprintf(stderr, "runner.c: %s: %s\n", why, what);
    exit(2);
}

typedef struct {
    char *data; /* a NUL past the end */
    size_t size;
} bytes;

/* Keys come one by one, but are set together. */
typedef struct {
    lambda_config *config;
    lambda_request *request;
    char *access_key_id, *secret_access_key, *session_token;
} call;

static int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bytes decode(const char *hex) {
    size_t length = strlen(hex);
    bytes result = {malloc(length / 2 + 1), length / 2};
    if (result.data == NULL || length % 2 != 0) {
        fail("no memory for, or no hexadecimal", hex);
    }
    for (size_t i = 0; i < result.size; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            fail("no hexadecimal", hex);
        }
        result.data[i] = (char)(high * 16 + low);
    }
    result.data[result.size] = '\0';
    return result;
}

static uint64_t number(const bytes *value) {
    char *end;
    uint64_t result = strtoull(value->data, &end, 10);
    if (value->size == 0 || *end != '\0') {
        fail("no number", value->data);
    }
    return result;
}

/* The place of a value in a list of names that ends with NULL; the numbers of the ABI follow the order of its names. */
static int32_t one_of(const bytes *value, const char *const *names) {
    for (int32_t i = 0; names[i] != NULL; i++) {
        if (strcmp(value->data, names[i]) == 0) {
            return i;
        }
    }
    fail("not one of the protocol's words", value->data);
    return -1;
}

static const char *const INVOCATION_TYPES[] = {"RequestResponse", "Event", "DryRun", NULL};
static const char *const LOG_TYPES[] = {"None", "Tail", NULL};
static const char *const RETRIES[] = {"safe", "none", "always", NULL};
static const char *const EXECUTIONS[] = {"UNKNOWN", "NONE", "RAN", "QUEUED"};

_Static_assert(LAMBDA_INVOCATION_EVENT == 1 && LAMBDA_INVOCATION_DRY_RUN == 2, "INVOCATION_TYPES");
_Static_assert(LAMBDA_LOG_TYPE_NONE == 0 && LAMBDA_LOG_TYPE_TAIL == 1, "LOG_TYPES");
_Static_assert(LAMBDA_RETRY_SAFE == 0 && LAMBDA_RETRY_NONE == 1 && LAMBDA_RETRY_ALWAYS == 2, "RETRIES");
_Static_assert(LAMBDA_EXECUTION_UNKNOWN == 0 && LAMBDA_EXECUTION_NONE == 1, "EXECUTIONS");
_Static_assert(LAMBDA_EXECUTION_RAN == 2 && LAMBDA_EXECUTION_QUEUED == 3, "EXECUTIONS");

static call new_call(void) {
    call result = {lambda_config_new(), lambda_request_new(), NULL, NULL, NULL};
    return result;
}

static void free_call(call *this_call) {
    lambda_config_free(this_call->config);
    lambda_request_free(this_call->request);
    free(this_call->access_key_id);
    free(this_call->secret_access_key);
    free(this_call->session_token);
}

static void keep(char **place, bytes *value) {
    free(*place);
    *place = value->data;
    value->data = NULL;
}

static bool set_config(call *c, const char *name, bytes *value) {
    if (strcmp(name, "region") == 0) {
        lambda_config_set_region(c->config, value->data);
    } else if (strcmp(name, "endpoint_url") == 0) {
        lambda_config_set_endpoint_url(c->config, value->data);
    } else if (strcmp(name, "profile") == 0) {
        lambda_config_set_profile(c->config, value->data);
    } else if (strcmp(name, "use_fips") == 0) {
        lambda_config_set_use_fips(c->config, (int32_t)number(value));
    } else if (strcmp(name, "use_dual_stack") == 0) {
        lambda_config_set_use_dual_stack(c->config, (int32_t)number(value));
    } else if (strcmp(name, "ca_bundle") == 0) {
        lambda_config_set_ca_bundle(c->config, value->data);
    } else if (strcmp(name, "proxy") == 0) {
        lambda_config_set_proxy(c->config, value->data);
    } else if (strcmp(name, "app_id") == 0) {
        lambda_config_set_app_id(c->config, value->data);
    } else if (strcmp(name, "access_key_id") == 0) {
        keep(&c->access_key_id, value);
    } else if (strcmp(name, "secret_access_key") == 0) {
        keep(&c->secret_access_key, value);
    } else if (strcmp(name, "session_token") == 0) {
        keep(&c->session_token, value);
    } else if (strcmp(name, "timeout_ms") == 0) {
        lambda_config_set_timeout_ms(c->config, number(value));
    } else if (strcmp(name, "connect_timeout_ms") == 0) {
        lambda_config_set_connect_timeout_ms(c->config, number(value));
    } else if (strcmp(name, "max_attempts") == 0) {
        lambda_config_set_max_attempts(c->config, (uint32_t)number(value));
    } else if (strcmp(name, "retry") == 0) {
        lambda_config_set_retry(c->config, one_of(value, RETRIES));
    } else if (strcmp(name, "max_connections") == 0) {
        lambda_config_set_max_connections(c->config, (uint32_t)number(value));
    } else if (strcmp(name, "max_response_bytes") == 0) {
        lambda_config_set_max_response_bytes(c->config, number(value));
    } else {
        return false;
    }
    return true;
}

static bool set_request(call *c, const char *name, const bytes *value) {
    if (strcmp(name, "function_name") == 0) {
        lambda_request_set_function_name(c->request, value->data);
    } else if (strcmp(name, "qualifier") == 0) {
        lambda_request_set_qualifier(c->request, value->data);
    } else if (strcmp(name, "invocation_type") == 0) {
        lambda_request_set_invocation_type(c->request, one_of(value, INVOCATION_TYPES));
    } else if (strcmp(name, "log_type") == 0) {
        lambda_request_set_log_type(c->request, one_of(value, LOG_TYPES));
    } else if (strcmp(name, "client_context") == 0) {
        lambda_request_set_client_context(c->request, value->data);
    } else if (strcmp(name, "client_context_json") == 0) {
        lambda_request_set_client_context_json(c->request, value->data);
    } else if (strcmp(name, "payload") == 0) {
        lambda_request_set_payload(c->request, value->data, value->size);
    } else if (strcmp(name, "tenant_id") == 0) {
        lambda_request_set_tenant_id(c->request, value->data);
    } else if (strcmp(name, "durable_execution_name") == 0) {
        lambda_request_set_durable_execution_name(c->request, value->data);
    } else if (strcmp(name, "trace_header") == 0) {
        lambda_request_set_trace_header(c->request, value->data);
    } else if (strcmp(name, "timeout_ms") == 0) {
        lambda_request_set_timeout_ms(c->request, number(value));
    } else if (strcmp(name, "retry") == 0) {
        lambda_request_set_retry(c->request, one_of(value, RETRIES));
    } else {
        return false;
    }
    return true;
}

static void set(call *c, const char *name, const char *hex) {
    static const char CONFIG[] = "config.";
    const size_t prefix = sizeof CONFIG - 1;
    bytes value = decode(hex);
    bool known =
        strncmp(name, CONFIG, prefix) == 0 ? set_config(c, name + prefix, &value) : set_request(c, name, &value);
    if (!known) {
        fail("no such setting", name);
    }
    free(value.data);
}

static void put_bytes(const char *name, const void *data, size_t size) {
    static const char DIGITS[] = "0123456789abcdef";
    const unsigned char *from = data;
    if (from == NULL) {
        printf("%s -\n", name);
        return;
    }
    printf("%s ", name);
    for (size_t i = 0; i < size; i++) {
        putchar(DIGITS[from[i] >> 4]);
        putchar(DIGITS[from[i] & 15]);
    }
    putchar('\n');
}

static void put_text(const char *name, const char *text) {
    put_bytes(name, text, text == NULL ? 0 : strlen(text));
}

/* The payload is apart from the result, since a stream hands it out before. */
static void put_result(const lambda_result *result, const void *payload, size_t payload_len) {
    printf("status %s\n", lambda_status_name(result->status));
    printf("execution %s\n", EXECUTIONS[result->execution]);
    printf("http_status %d\n", (int)result->http_status);
    printf("attempts %lu\n", (unsigned long)result->attempts);
    printf("unknown_attempts %lu\n", (unsigned long)result->unknown_attempts);
    printf("retry_after_ms %llu\n", (unsigned long long)result->retry_after_ms);
    put_bytes("payload", payload, payload_len);
    put_bytes("log", result->log, result->log_len);
    put_text("function_error", result->function_error);
    put_text("error_type", result->error_type);
    put_text("error_message", result->error_message);
    put_text("throttle_reason", result->throttle_reason);
    put_text("request_id", result->request_id);
    put_text("executed_version", result->executed_version);
    put_text("durable_execution_arn", result->durable_execution_arn);
    put_text("content_type", result->content_type);
}

static void put_failure(const lambda_error *error) {
    printf("status %s\nexecution NONE\n", lambda_status_name(lambda_error_status(error)));
    put_text("error_message", lambda_error_message(error));
}

static void invoke(const lambda_client *client, const lambda_request *request) {
    lambda_result *result = lambda_invoke(client, request);
    put_result(result, result->payload, result->payload_len);
    lambda_result_free(result);
}

static void stream(const lambda_client *client, const lambda_request *request) {
    lambda_stream *stream = lambda_invoke_stream(client, request);
    char *read = malloc(1);
    size_t size = 0, len;
    const uint8_t *data;
    lambda_status status = LAMBDA_PENDING;
    while (read != NULL && (status = lambda_stream_next(stream, -1, &data, &len)) == LAMBDA_OK) {
        read = realloc(read, size + len);
        if (read != NULL) {
            memcpy(read + size, data, len);
            size += len;
        }
    }
    if (read == NULL) {
        fail("no memory for", "the stream");
    }
    lambda_result *result = lambda_stream_finish(stream);
    bool succeeded = result->status == LAMBDA_OK || result->status == LAMBDA_FUNCTION_ERROR;
    if (status != (succeeded ? LAMBDA_END : result->status) || result->payload_len != 0) {
        fail("lambda_stream_next and the result differ", lambda_status_name(status));
    }
    put_result(result, read, size);
    lambda_result_free(result);
    free(read);
}

typedef void operation(const lambda_client *, const lambda_request *);

static void answer(const call *c, operation *perform) {
    if (c->access_key_id != NULL || c->secret_access_key != NULL || c->session_token != NULL) {
        lambda_config_set_credentials(c->config, c->access_key_id, c->secret_access_key, c->session_token);
    }
    lambda_client *client;
    lambda_error *error;
    if (lambda_client_new(c->config, &client, &error) == LAMBDA_OK) {
        perform(client, c->request);
        lambda_client_free(client);
    } else {
        put_failure(error);
        lambda_error_free(error);
    }
    puts(".");
    if (fflush(stdout) != 0) {
        fail("the answer could not be written", "stdout");
    }
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    call c = new_call();
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
        }
        operation *perform = strcmp(line, "invoke") == 0 ? invoke : strcmp(line, "stream") == 0 ? stream : NULL;
        if (perform != NULL) {
            answer(&c, perform);
            free_call(&c);
            c = new_call();
            continue;
        }
        char *space = strchr(line, ' ');
        if (space == NULL) {
            fail("no line of the protocol", line);
        }
        *space = '\0';
        set(&c, line, space + 1);
    }
    free_call(&c);
    free(line);
    return 0;
}
