/* The log: to the application's callback, and to stderr only if LAMBDA_INVOKE_LOG is set. */

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "callback.h"
#include "script.h"

/* What a log callback received. */
struct heard {
    pthread_mutex_t lock;
    /* Lines as they stand on stderr, but for the time. */
    char text[65536];
    size_t length;
    int lines[LAMBDA_LOG_LEVEL_TRACE + 1];
    /* Also waits a little, so that threads meet inside. */
    bool slow;
    atomic_int inside, most_inside;
};

static const char *const level_names[] = {"OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"};

static void hear(void *user_data, int32_t level, const char *target, const char *message) {
    struct heard *heard = user_data;
    int inside = atomic_fetch_add(&heard->inside, 1) + 1;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(sigismember(&mask, SIGUSR1) == 1);
    CHECK(sigismember(&mask, SIGUSR2) == 0);
    CHECK(sigismember(&mask, SIGPIPE) == 0);
    CHECK(strchr(message, '\n') == NULL);
    if (heard->slow) {
        sleep_ms(20);
    }
    if (level < LAMBDA_LOG_LEVEL_ERROR || level > LAMBDA_LOG_LEVEL_TRACE) {
        check_failed(__FILE__, __LINE__, "level %d", level);
        level = LAMBDA_LOG_LEVEL_TRACE;
    }
    bool known = strcmp(target, "lambda_invoke::config") == 0 || strcmp(target, "lambda_invoke::credentials") == 0 ||
                 strcmp(target, "lambda_invoke::call") == 0;
    if (!known) {
        check_failed(__FILE__, __LINE__, "target %s", target);
    }
    CHECK(*message != '\0');
    pthread_mutex_lock(&heard->lock);
    heard->lines[level]++;
    size_t left = sizeof heard->text - heard->length;
    int count = snprintf(heard->text + heard->length, left, "%-5s %s: %s\n", level_names[level], target, message);
    CHECK_AT_MOST(count, left - 1);
    heard->length += (size_t)count < left ? (size_t)count : left - 1;
    if (inside > atomic_load(&heard->most_inside)) {
        atomic_store(&heard->most_inside, inside);
    }
    pthread_mutex_unlock(&heard->lock);
    atomic_fetch_sub(&heard->inside, 1);
}

static struct heard *nothing_heard(void) {
    struct heard *heard = calloc(1, sizeof *heard);
    pthread_mutex_init(&heard->lock, NULL);
    return heard;
}

static void forget(struct heard *heard) {
    pthread_mutex_destroy(&heard->lock);
    free(heard);
}

static int all_lines(const struct heard *heard) {
    int count = 0;
    for (int level = 0; level <= LAMBDA_LOG_LEVEL_TRACE; level++) {
        count += heard->lines[level];
    }
    return count;
}

static lambda_status give(void *user_data, lambda_credentials *out) {
    return lambda_credentials_set(out, id, secret, user_data, 0);
}

/* A client whose credentials come from a callback, with this token. */
static lambda_client *client_with_log(int32_t level, struct heard *heard, const char *token) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, give, (void *)token, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, level, hear, heard, NULL), LAMBDA_OK);
    return client_of(config);
}

static void works(const lambda_client *client) {
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
}

static lambda_status no_keys(void *user_data, lambda_credentials *out) {
    (void)user_data;
    return lambda_credentials_set_error(out, "the vault is locked"), LAMBDA_E_CREDENTIALS;
}

/* Each level includes its own events and those of the less detailed ones. */
static void levels(void) {
    int before = 0;
    for (int32_t level = LAMBDA_LOG_LEVEL_OFF; level <= LAMBDA_LOG_LEVEL_TRACE; level++) {
        struct heard *heard = nothing_heard();
        lambda_client *client = client_with_log(level, heard, NULL);
        works(client);
        lambda_client_free(client);
        /* And an error. */
        lambda_config *config = lambda_config_new();
        CHECK_INT(lambda_config_set_log(config, level, hear, heard, NULL), LAMBDA_OK);
        CHECK_INT(lambda_config_set_credentials_callback(config, no_keys, NULL, NULL), LAMBDA_OK);
        client = client_of(config);
        lambda_result *result = invoke(client, "echo", "x");
        CHECK_RESULT(result, LAMBDA_E_CREDENTIALS, LAMBDA_EXECUTION_NONE);
        lambda_result_free(result);
        lambda_client_free(client);

        for (int32_t other = level + 1; other <= LAMBDA_LOG_LEVEL_TRACE; other++) {
            CHECK_INT(heard->lines[other], 0);
        }
        /* A client without problems logs no warning. */
        if (level != LAMBDA_LOG_LEVEL_OFF && level != LAMBDA_LOG_LEVEL_WARN) {
            CHECK_AT_LEAST(all_lines(heard), before + 1);
        }
        before = all_lines(heard);
        if (level == LAMBDA_LOG_LEVEL_ERROR) {
            CHECK_CONTAINS(heard->text, "ERROR lambda_invoke::credentials: ");
            CHECK_CONTAINS(heard->text, "the vault is locked");
        }
        if (level == LAMBDA_LOG_LEVEL_TRACE) {
            CHECK_CONTAINS(heard->text, "DEBUG lambda_invoke::config: {");
            CHECK_CONTAINS(
                heard->text, "INFO  lambda_invoke::credentials: echo #1: credentials from the credentials callback");
            CHECK_CONTAINS(heard->text, id);
            CHECK_CONTAINS(heard->text, "DEBUG lambda_invoke::call: echo #1: attempt 1: ");
            CHECK_CONTAINS(heard->text, "TRACE lambda_invoke::call: ");
        }
        forget(heard);
    }
}

static void unset(void) {
    struct heard *heard = nothing_heard();
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, id, secret, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, hear, heard, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, NULL, NULL, NULL), LAMBDA_OK);
    lambda_client *client = NULL;
    CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_OK);
    works(client);
    lambda_client_free(client);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, hear, heard, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_OFF, hear, heard, NULL), LAMBDA_OK);
    client = client_of(config);
    works(client);
    lambda_client_free(client);
    CHECK_INT(all_lines(heard), 0);
    forget(heard);
}

/* Whatever goes wrong, and at every level. */
static void no_secret(void) {
    static const char *const secrets[] = {"hunter2", secret, NULL};
    struct heard *heard = nothing_heard();
    lambda_client *client = client_with_log(LAMBDA_LOG_LEVEL_TRACE, heard, "hunter2-token");
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    lambda_client_free(client);
    /* An endpoint that repeats what it was sent. */
    client = client_with_log(LAMBDA_LOG_LEVEL_TRACE, heard, NULL);
    char script[512];
    snprintf(script, sizeof script, "answer 403 - {\"message\":\"you sent %s\"}", secret);
    result = invoke_once(client, script_of("repeats", script));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    lambda_client_free(client);
    /* Credentials that are refused, static ones, and a proxy's password. */
    client = client_with_log(LAMBDA_LOG_LEVEL_TRACE, heard, "hunter2 token");
    result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_E_CREDENTIALS, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    lambda_client_free(client);
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, hear, heard, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, "AKID", "hunter2-secret", "hunter2-token"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_proxy(config, "http://hunter2user:hunter2@127.0.0.1:1"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, 1), LAMBDA_OK);
    client = client_of(config);
    result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    CHECK(strstr(result->error_message, "hunter2") == NULL);
    lambda_result_free(result);
    lambda_client_free(client);
    CHECK_AT_LEAST(all_lines(heard), 10);
    for (int i = 0; secrets[i] != NULL; i++) {
        if (strstr(heard->text, secrets[i]) != NULL) {
            check_failed(__FILE__, __LINE__, "the log has a secret: %s", strstr(heard->text, secrets[i]));
        }
    }
    forget(heard);
}

static void *work(void *client) {
    for (int i = 0; i < check_rounds(5, 1); i++) {
        works(client);
    }
    return NULL;
}

static void from_threads(void) {
    enum { THREADS = 8 };
    struct heard *heard = nothing_heard();
    heard->slow = true;
    lambda_client *client = client_with_log(LAMBDA_LOG_LEVEL_DEBUG, heard, NULL);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, work, client), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    lambda_client_free(client);
    /* No thread waits for another thread's log callback. */
    CHECK_AT_LEAST(atomic_load(&heard->most_inside), 2);
    /* An attempt has its beginning and its end. */
    CHECK_AT_LEAST(heard->lines[LAMBDA_LOG_LEVEL_DEBUG], 2 * THREADS * check_rounds(5, 1));
    forget(heard);
}

/* What is written to stderr until it is given back. */
struct caught {
    int saved;
    FILE *file;
};

static struct caught catch_stderr(void) {
    struct caught caught = {dup(STDERR_FILENO), tmpfile()};
    CHECK(caught.saved >= 0 && caught.file != NULL);
    CHECK(dup2(fileno(caught.file), STDERR_FILENO) == STDERR_FILENO);
    return caught;
}

static char *give_back(struct caught caught) {
    fflush(stderr);
    CHECK(dup2(caught.saved, STDERR_FILENO) == STDERR_FILENO);
    close(caught.saved);
    static char text[65536];
    rewind(caught.file);
    text[fread(text, 1, sizeof text - 1, caught.file)] = '\0';
    fclose(caught.file);
    return text;
}

/* Each line without its time: seconds, and three digits of the next. */
static void take_times_away(char *text) {
    char *out = text;
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        CHECK(end != NULL);
        end = end == NULL ? line + strlen(line) : end + 1;
        size_t digits = strspn(line, "0123456789");
        CHECK_INT(digits, 10);
        CHECK(line[digits] == '.' && strspn(line + digits + 1, "0123456789") == 3 && line[digits + 4] == ' ');
        line += digits + 5 < (size_t)(end - line) ? digits + 5 : 0;
        memmove(out, line, (size_t)(end - line));
        out += end - line;
        line = end;
    }
    *out = '\0';
}

static void on_stderr(void) {
    struct heard *heard = nothing_heard();
    CHECK(setenv("LAMBDA_INVOKE_LOG", "trace", 1) == 0);
    struct caught caught = catch_stderr();
    lambda_client *client = client_with_log(LAMBDA_LOG_LEVEL_TRACE, heard, NULL);
    works(client);
    lambda_client_free(client);
    char *text = give_back(caught);
    CHECK_AT_LEAST(all_lines(heard), 4);
    take_times_away(text);
    CHECK_STRING(text, heard->text);

    /* Each sink gets its levels, and no more. */
    struct heard *errors = nothing_heard();
    CHECK(setenv("LAMBDA_INVOKE_LOG", "Info", 1) == 0);
    caught = catch_stderr();
    client = client_with_log(LAMBDA_LOG_LEVEL_ERROR, errors, NULL);
    works(client);
    lambda_client_free(client);
    text = give_back(caught);
    CHECK_INT(all_lines(errors), 0);
    CHECK_CONTAINS(text, " INFO  lambda_invoke::credentials: ");
    CHECK(strstr(text, "DEBUG") == NULL && strstr(text, "TRACE") == NULL && strstr(text, secret) == NULL);

    /* The variable was read when the client was made. */
    CHECK(setenv("LAMBDA_INVOKE_LOG", "off", 1) == 0);
    caught = catch_stderr();
    client = client_with_log(LAMBDA_LOG_LEVEL_ERROR, errors, NULL);
    CHECK(setenv("LAMBDA_INVOKE_LOG", "trace", 1) == 0);
    works(client);
    lambda_client_free(client);
    CHECK_STRING(give_back(caught), "");

    /* A variable for debugging must not stop a program: an unknown level is ignored, and reported. */
    CHECK(setenv("LAMBDA_INVOKE_LOG", "loud", 1) == 0);
    caught = catch_stderr();
    client = client_with_log(LAMBDA_LOG_LEVEL_ERROR, errors, NULL);
    char *shown = lambda_client_describe(client);
    CHECK_CONTAINS(shown, "LAMBDA_INVOKE_LOG is ignored: \\\"loud\\\" is not a level");
    lambda_string_free(shown);
    works(client);
    lambda_client_free(client);
    CHECK_STRING(give_back(caught), "");

    CHECK(unsetenv("LAMBDA_INVOKE_LOG") == 0);
    caught = catch_stderr();
    client = client_with_log(LAMBDA_LOG_LEVEL_TRACE, errors, NULL);
    works(client);
    lambda_client_free(client);
    CHECK_STRING(give_back(caught), "");
    CHECK_AT_LEAST(all_lines(errors), 4);
    forget(errors);
    forget(heard);
}

int main(void) {
    begin_callbacks();
    levels();
    unset();
    no_secret();
    from_threads();
    on_stderr();
    return check_done();
}
