/* The credentials callback: when, where and how it is called, and what its results lead to. */

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callback.h"
#include "script.h"

enum { THREADS = 8 };

/* Of this thread, while it is inside lambda_invoke: the mask that it has outside. */
static _Thread_local const sigset_t *mask_outside;

/* A callback's user_data: what the callback does, and what it has seen. */
struct keeper {
    /* The callback only calls this, and then sets the credentials. */
    unsigned sleep_ms;
    int64_t expires_in_s;
    const char *token_at_first;
    const lambda_client *other;
    int fails_from;
    atomic_int asked, inside;
};

static int64_t seconds(void) {
    return (int64_t)time(NULL);
}

static lambda_status give(void *user_data, lambda_credentials *out) {
    struct keeper *keeper = user_data;
    CHECK_INT(atomic_fetch_add(&keeper->inside, 1), 0);
    int number = atomic_fetch_add(&keeper->asked, 1) + 1;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (mask_outside == NULL) {
        check_failed(__FILE__, __LINE__, "called on a thread that is not inside lambda_invoke");
    } else {
        for (int signal = 1; signal < 32; signal++) {
            CHECK_INT(sigismember(&mask, signal), sigismember(mask_outside, signal));
        }
    }
    sleep_ms(keeper->sleep_ms);
    lambda_status status = LAMBDA_OK;
    if (keeper->other != NULL) {
        lambda_result *result = invoke(keeper->other, "echo", "from the callback");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_STRING(payload_text(result), "from the callback");
        lambda_result_free(result);
    }
    if (keeper->fails_from != 0 && number >= keeper->fails_from) {
        CHECK_INT(lambda_credentials_set_error(out, "the vault is locked"), LAMBDA_OK);
        status = LAMBDA_E_IO;
    } else {
        CHECK_INT(lambda_credentials_set(out, id, secret, number == 1 ? keeper->token_at_first : NULL,
                      keeper->expires_in_s == 0 ? 0 : seconds() + keeper->expires_in_s),
            LAMBDA_OK);
    }
    atomic_fetch_sub(&keeper->inside, 1);
    return status;
}

static lambda_client *client_that_asks(lambda_credentials_fn callback, void *user_data) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, callback, user_data, NULL), LAMBDA_OK);
    return client_of(config);
}

/* From outside the library, as a thread of the application does it. */
static lambda_result *call(const lambda_client *client, lambda_request *request) {
    sigset_t mask, after;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    mask_outside = &mask;
    lambda_result *result = invoke_once(client, request);
    mask_outside = NULL;
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK_INT(sigismember(&after, SIGPIPE), sigismember(&mask, SIGPIPE));
    return result;
}

static void works(const lambda_client *client) {
    lambda_result *result = call(client, request_of("echo", "works"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "works");
    CHECK_INT(result->attempts, 1);
    lambda_result_free(result);
}

static void *works_in_a_thread(void *client) {
    works(client);
    return NULL;
}

static void works_in_threads(lambda_client *client) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, works_in_a_thread, client), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
}

static void once_for_all(void) {
    struct keeper keeper = {.sleep_ms = check_light() ? 1000 : 200};
    lambda_client *client = client_that_asks(give, &keeper);
    CHECK_INT(atomic_load(&keeper.asked), 0);
    works_in_threads(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    works(client);
    works_in_threads(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_client_free(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
}

static void again_after_they_expired(void) {
    struct keeper keeper = {.expires_in_s = -60};
    lambda_client *client = client_that_asks(give, &keeper);
    works(client);
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 2);
    lambda_client_free(client);

    struct keeper brief = {.expires_in_s = 2};
    client = client_that_asks(give, &brief);
    works(client);
    CHECK_INT(atomic_load(&brief.asked), 1);
    sleep_ms(2100);
    works(client);
    CHECK_INT(atomic_load(&brief.asked), 2);
    lambda_client_free(client);

    struct keeper lasting = {.expires_in_s = 3600};
    client = client_that_asks(give, &lasting);
    works(client);
    works_in_threads(client);
    CHECK_INT(atomic_load(&lasting.asked), 1);
    lambda_client_free(client);
}

/* If credentials expire quickly, every thread needs new ones all the time. */
static void never_twice_at_once(void) {
    struct keeper keeper = {.expires_in_s = -1, .sleep_ms = 2};
    lambda_client *client = client_that_asks(give, &keeper);
    for (int i = 0; i < check_rounds(20, 2); i++) {
        works_in_threads(client);
    }
    CHECK_AT_LEAST(atomic_load(&keeper.asked), check_rounds(20, 2));
    lambda_client_free(client);
}

/* Each ends the call before anything is sent. */
static lambda_status says_nothing(void *user_data, lambda_credentials *out) {
    (void)user_data, (void)out;
    return LAMBDA_OK;
}

static lambda_status only_fails(void *user_data, lambda_credentials *out) {
    (void)out;
    return *(lambda_status *)user_data;
}

static lambda_status explains(void *user_data, lambda_credentials *out) {
    CHECK_INT(lambda_credentials_set_error(out, user_data), LAMBDA_OK);
    return LAMBDA_E_CREDENTIALS;
}

static lambda_status explains_badly(void *user_data, lambda_credentials *out) {
    CHECK_INT(lambda_credentials_set_error(out, user_data), LAMBDA_E_INVALID_ARGUMENT);
    return LAMBDA_E_CREDENTIALS;
}

/* The callback forgets to return the failure as well. */
static lambda_status explains_and_returns_ok(void *user_data, lambda_credentials *out) {
    CHECK_INT(lambda_credentials_set_error(out, user_data), LAMBDA_OK);
    return LAMBDA_OK;
}

/* Credentials and a failure: the failure counts. */
static lambda_status changes_its_mind(void *user_data, lambda_credentials *out) {
    (void)user_data;
    CHECK_INT(lambda_credentials_set(out, id, secret, NULL, 0), LAMBDA_OK);
    CHECK_INT(lambda_credentials_set_error(out, "better not"), LAMBDA_OK);
    return LAMBDA_E_CREDENTIALS;
}

struct keys {
    const char *id, *secret, *token;
    int64_t expires;
};

static lambda_status gives_bad_ones(void *user_data, lambda_credentials *out) {
    const struct keys *keys = user_data;
    lambda_status status = lambda_credentials_set(out, keys->id, keys->secret, keys->token, keys->expires);
    CHECK_INT(status, LAMBDA_E_INVALID_ARGUMENT);
    return status;
}

/* The callback ignores the status of lambda_credentials_set. */
static lambda_status does_not_look(void *user_data, lambda_credentials *out) {
    gives_bad_ones(user_data, out);
    return LAMBDA_OK;
}

/* Valid credentials first, then invalid ones: the last error counts. */
static lambda_status spoils_good_ones(void *user_data, lambda_credentials *out) {
    CHECK_INT(lambda_credentials_set(out, id, secret, NULL, 0), LAMBDA_OK);
    return does_not_look(user_data, out);
}

/* Invalid credentials first, and an error: the last message counts, and the returned status. */
static lambda_status gets_better(void *user_data, lambda_credentials *out) {
    gives_bad_ones(user_data, out);
    CHECK_INT(lambda_credentials_set_error(out, "no"), LAMBDA_OK);
    CHECK_INT(lambda_credentials_set(NULL, id, secret, NULL, 0), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_credentials_set_error(NULL, "no"), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_credentials_set(out, id, secret, NULL, INT64_MAX / INT64_C(1000000000000)), LAMBDA_OK);
    CHECK_INT(lambda_credentials_set(out, id, secret, NULL, 0), LAMBDA_OK);
    return LAMBDA_OK;
}

static void fails(const char *file, int line, lambda_credentials_fn callback, void *user_data, const char *part) {
    lambda_client *client = client_that_asks(callback, user_data);
    /* The second call runs the callback again. */
    for (int i = 0; i < 2; i++) {
        lambda_result *result = call(client, request_of("echo", "{}"));
        check_result(file, line, result, LAMBDA_E_CREDENTIALS, LAMBDA_EXECUTION_NONE);
        check_int(file, line, "attempts", result->attempts, 0);
        check_int(file, line, "unknown_attempts", result->unknown_attempts, 0);
        check_int(file, line, "http_status", result->http_status, 0);
        check_contains(file, line, "error_message", result->error_message, "credentials callback");
        check_contains(file, line, "error_message", result->error_message, part);
        CHECK(strstr(result->error_message, "hunter") == NULL);
        CHECK(strstr(result->error_message, secret) == NULL);
        lambda_result_free(result);
    }
    lambda_client_free(client);
}

#define FAILS(callback, user_data, part) fails(__FILE__, __LINE__, (callback), (user_data), (part))

static void failures(void) {
    FAILS(says_nothing, NULL, "set no credentials");
    static lambda_status returns[] = {LAMBDA_E_TIMEOUT, -77, 1, INT32_MAX, INT32_MIN};
    FAILS(only_fails, &returns[0], "LAMBDA_E_TIMEOUT");
    FAILS(only_fails, &returns[1], "-77");
    FAILS(only_fails, &returns[2], "LAMBDA_FUNCTION_ERROR");
    FAILS(only_fails, &returns[3], "2147483647");
    FAILS(only_fails, &returns[4], "-2147483648");
    FAILS(explains,
        "the vault is \xc3\xbc"
        "berf\xc3\xbcllt",
        "the vault is \xc3\xbc"
        "berf\xc3\xbcllt");
    FAILS(explains_badly, "\xff", "UTF-8");
    FAILS(explains_badly, NULL, "NULL");
    FAILS(explains_and_returns_ok, "the vault is locked", "the vault is locked");
    FAILS(changes_its_mind, NULL, "better not");
    static char long_token[40 * 1024];
    memset(long_token, 't', sizeof long_token - 1);
    const struct {
        struct keys keys;
        const char *field;
    } bad[] = {
        {{"AK ID", "hunter2", NULL, 0}, "access_key_id"},
        {{"", "hunter2", NULL, 0}, "access_key_id"},
        {{NULL, "hunter2", NULL, 0}, "access_key_id"},
        {{"AKID", "hunter 2", NULL, 0}, "secret_access_key"},
        {{"AKID", NULL, NULL, 0}, "secret_access_key"},
        {{"AKID", "hunter2\n", NULL, 0}, "secret_access_key"},
        {{"AKID", "hunter\xff", NULL, 0}, "secret_access_key"},
        {{"AKID", "hunter2", "", 0}, "session_token"},
        {{"AKID", "hunter2", "hunter\r\nX: y", 0}, "session_token"},
        {{"AKID", "hunter2", long_token, 0}, "session_token"},
        {{"AKID", "hunter2", NULL, -1}, "expires_unix_s"},
        {{"AKID", "hunter2", NULL, INT64_MIN}, "expires_unix_s"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FAILS(gives_bad_ones, (void *)&bad[i].keys, bad[i].field);
        FAILS(does_not_look, (void *)&bad[i].keys, bad[i].field);
        FAILS(spoils_good_ones, (void *)&bad[i].keys, bad[i].field);
    }
    lambda_client *client = client_that_asks(gets_better, (void *)&bad[0].keys);
    works(client);
    lambda_client_free(client);
}

/* Calls that waited for a load that failed get its error, and do not run the callback again one after the other. */
static void *fails_in_a_thread(void *client) {
    lambda_result *result = call(client, request_of("echo", "{}"));
    CHECK_RESULT(result, LAMBDA_E_CREDENTIALS, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "the vault is locked");
    lambda_result_free(result);
    return NULL;
}

static void a_failure_for_all_who_waited(void) {
    struct keeper keeper = {.sleep_ms = check_light() ? 1000 : 300, .fails_from = 1};
    lambda_client *client = client_that_asks(give, &keeper);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, fails_in_a_thread, client), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    CHECK_INT(atomic_load(&keeper.asked), 1);
    /* The failure is not final. */
    keeper.fails_from = 0;
    works(client);
    lambda_client_free(client);
}

struct late {
    const lambda_client *client;
    uint64_t timeout_ms, took_ms;
};

static void *is_late(void *user_data) {
    struct late *late = user_data;
    lambda_request *request = request_of("counter", "{}");
    CHECK_INT(lambda_request_set_timeout_ms(request, late->timeout_ms), LAMBDA_OK);
    uint64_t began = now_ms();
    lambda_result *result = call(late->client, request);
    late->took_ms = now_ms() - began;
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 0);
    CHECK_CONTAINS(result->error_message, "deadline");
    lambda_result_free(result);
    return NULL;
}

static void until_asked(struct keeper *keeper, int times) {
    while (atomic_load(&keeper->asked) < times) {
        sleep_ms(1);
    }
}

/* A callback that blocks delays the call that runs it, and no other. */
static void deadlines(void) {
    struct keeper keeper = {.sleep_ms = check_light() ? 8000 : 1000};
    lambda_client *client = client_that_asks(give, &keeper);
    struct late served = {.client = client, .timeout_ms = check_light() ? 2000 : 200}, waits = served;
    pthread_t first, second;
    CHECK_INT(pthread_create(&first, NULL, is_late, &served), 0);
    until_asked(&keeper, 1);
    CHECK_INT(pthread_create(&second, NULL, is_late, &waits), 0);
    CHECK_INT(pthread_join(second, NULL), 0);
    CHECK_INT(atomic_load(&keeper.inside), 1);
    CHECK_AT_LEAST(waits.took_ms, waits.timeout_ms - 1);
    CHECK_AT_MOST(waits.took_ms, waits.timeout_ms + (check_light() ? 3000 : 200));
    CHECK_INT(pthread_join(first, NULL), 0);
    CHECK_AT_LEAST(served.took_ms, keeper.sleep_ms);
    /* The next call uses the credentials that came too late for that call. */
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_client_free(client);
}

/* While the credentials are valid and a refresh is under way, only the call that refreshes waits; and the refresh may
 * fail. */
static void ahead_of_time(void) {
    enum { LIFE = 8 };
    struct keeper keeper = {.expires_in_s = LIFE};
    lambda_client *client = client_that_asks(give, &keeper);
    int64_t expires = seconds() + LIFE;
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    /* With a quarter of their life left, credentials are refreshed; with a tenth left, they count as expired. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sleep_ms((unsigned)((expires - now.tv_sec) * 1000 - 1500 - now.tv_nsec / 1000000));
    keeper.sleep_ms = 600;
    keeper.fails_from = 2;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, works_in_a_thread, client), 0);
    until_asked(&keeper, 2);
    lambda_result *result = call(client, request_of("echo", "works"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    if (!check_light()) {
        CHECK_INT(atomic_load(&keeper.inside), 1);
        CHECK_AT_MOST(result->duration_us, 400000);
    }
    lambda_result_free(result);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(atomic_load(&keeper.asked), 2);
    lambda_client_free(client);
}

/* A fork does not wait for the application's code, and the child runs the callback itself. */
static void forked_while_asking(void) {
    struct keeper keeper = {.sleep_ms = check_light() ? 3000 : 700};
    lambda_client *client = client_that_asks(give, &keeper);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, works_in_a_thread, client), 0);
    until_asked(&keeper, 1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(check_light() ? 100 : 20);
        atomic_store(&keeper.inside, 0);
        keeper.sleep_ms = 0;
        works(client);
        works(client);
        CHECK_INT(atomic_load(&keeper.asked), 2);
        lambda_client_free(client);
        _exit(check_done());
    }
    CHECK_INT(atomic_load(&keeper.inside), 1);
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_client_free(client);
}

static void another_client_inside(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, id, secret, NULL), LAMBDA_OK);
    lambda_client *other = client_of(config);
    struct keeper keeper = {.other = other};
    lambda_client *client = client_that_asks(give, &keeper);
    works_in_threads(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_client_free(client);
    /* A client whose credentials also come from a callback. */
    struct keeper inner = {0};
    lambda_client *middle = client_that_asks(give, &inner);
    struct keeper outer = {.other = middle};
    client = client_that_asks(give, &outer);
    works(client);
    CHECK_INT(atomic_load(&outer.asked), 1);
    CHECK_INT(atomic_load(&inner.asked), 1);
    lambda_client_free(client);
    lambda_client_free(middle);
    lambda_client_free(other);
}

/* The endpoint treats the token "expired" as expired. */
static lambda_status always_expired(void *user_data, lambda_credentials *out) {
    atomic_fetch_add((atomic_int *)user_data, 1);
    return lambda_credentials_set(out, id, secret, "expired", 0);
}

static void taken_for_expired(void) {
    struct keeper keeper = {.token_at_first = "expired"};
    lambda_client *client = client_that_asks(give, &keeper);
    lambda_result *result = call(client, request_of("echo", "x"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->attempts, 2);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_INT(atomic_load(&keeper.asked), 2);
    lambda_result_free(result);
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 2);
    lambda_client_free(client);

    /* The callback returns the same credentials: it runs once more, and they are not sent again. */
    atomic_int asked = 0;
    client = client_that_asks(always_expired, &asked);
    result = call(client, request_of("echo", "x"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_STRING(result->error_type, "ExpiredTokenException");
    CHECK_INT(result->http_status, 403);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(atomic_load(&asked), 2);
    lambda_result_free(result);
    lambda_client_free(client);

    /* The callback returns none. */
    struct keeper broken = {.token_at_first = "expired", .fails_from = 2};
    client = client_that_asks(give, &broken);
    result = call(client, request_of("echo", "x"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_STRING(result->error_type, "ExpiredTokenException");
    CHECK_CONTAINS(result->error_message, "the vault is locked");
    CHECK_INT(result->attempts, 1);
    CHECK_INT(atomic_load(&broken.asked), 2);
    lambda_result_free(result);
    lambda_client_free(client);

    /* In mode LAMBDA_RETRY_NONE there is no second attempt; the next call has new credentials. */
    struct keeper once = {.token_at_first = "expired"};
    client = client_that_asks(give, &once);
    lambda_request *request = request_of("echo", "x");
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_NONE), LAMBDA_OK);
    result = call(client, request);
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(atomic_load(&once.asked), 1);
    lambda_result_free(result);
    result = call(client, request_of("echo", "x"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(atomic_load(&once.asked), 2);
    lambda_result_free(result);
    lambda_client_free(client);
}

static void set_and_unset(void) {
    struct keeper keeper = {0};
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, give, &keeper, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, id, secret, NULL), LAMBDA_OK);
    lambda_client *client = client_of(config);
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 0);
    lambda_client_free(client);

    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, give, &keeper, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, "other", "other", NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, NULL, NULL, NULL), LAMBDA_OK);
    client = client_of(config);
    works(client);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_client_free(client);

    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, give, &keeper, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials_callback(config, NULL, NULL, NULL), LAMBDA_OK);
    client = client_of(config);
    lambda_result *result = call(client, request_of("echo", "x"));
    CHECK_RESULT(result, LAMBDA_E_CREDENTIALS, LAMBDA_EXECUTION_NONE);
    CHECK(strstr(result->error_message, "callback") == NULL);
    CHECK_INT(atomic_load(&keeper.asked), 1);
    lambda_result_free(result);
    lambda_client_free(client);
}

int main(void) {
    begin_callbacks();
    once_for_all();
    again_after_they_expired();
    never_twice_at_once();
    failures();
    a_failure_for_all_who_waited();
    deadlines();
    ahead_of_time();
    forked_while_asking();
    another_client_inside();
    taken_for_expired();
    set_and_unset();
    return check_done();
}
