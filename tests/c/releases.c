/* The user_data of a callback is released exactly once: when the callback can no longer be called. */

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callback.h"

/* A callback's user_data. */
struct owned {
    atomic_int asked, released;
    /* To be used when it is released. */
    lambda_config *config;
    lambda_client *client;
    bool frees_client;
};

static void release(void *user_data) {
    struct owned *owned = user_data;
    CHECK_INT(atomic_fetch_add(&owned->released, 1), 0);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(sigismember(&mask, SIGUSR1) == 1);
    CHECK(sigismember(&mask, SIGPIPE) == 0);
    if (owned->config != NULL) {
        CHECK_INT(lambda_config_set_max_attempts(owned->config, 2), LAMBDA_OK);
    }
}

static lambda_status give(void *user_data, lambda_credentials *out) {
    struct owned *owned = user_data;
    CHECK_INT(atomic_load(&owned->released), 0);
    atomic_fetch_add(&owned->asked, 1);
    if (owned->frees_client) {
        lambda_client_free(owned->client);
        CHECK_INT(atomic_load(&owned->released), 0);
    }
    return lambda_credentials_set(out, id, secret, NULL, 0);
}

static void hear(void *user_data, int32_t level, const char *target, const char *message) {
    struct owned *owned = user_data;
    (void)level, (void)target, (void)message;
    CHECK_INT(atomic_load(&owned->released), 0);
    atomic_fetch_add(&owned->asked, 1);
}

/* Both kinds of callbacks take user_data in the same way. */
static lambda_status set_credentials(lambda_config *config, struct owned *owned, bool callback) {
    return lambda_config_set_credentials_callback(config, callback ? give : NULL, owned, release);
}

static lambda_status set_log(lambda_config *config, struct owned *owned, bool callback) {
    return lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, callback ? hear : NULL, owned, release);
}

typedef lambda_status (*setter)(lambda_config *, struct owned *, bool);

#define RELEASED(owned) atomic_load(&(owned).released)

/* A client of it; the config stays. */
static lambda_client *made_of(const lambda_config *config) {
    lambda_client *client = NULL;
    CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_OK);
    return client;
}

static bool works(const lambda_client *client) {
    int failures = atomic_load(&check_failures);
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    return atomic_load(&check_failures) == failures;
}

/* Where the callback is to provide the credentials, no others are set: they would take precedence, and a client would
 * not even have the callback. */
static lambda_config *config_for(setter set) {
    lambda_config *config = lambda_config_new();
    if (set == set_log) {
        CHECK_INT(lambda_config_set_credentials(config, id, secret, NULL), LAMBDA_OK);
    }
    return config;
}

/* A callback that could never be called is of no use to a client. */
static void beside_keys(void) {
    struct owned owned = {0};
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, id, secret, NULL), LAMBDA_OK);
    CHECK_INT(set_credentials(config, &owned, true), LAMBDA_OK);
    lambda_client *client = client_of(config);
    works(client);
    lambda_client_free(client);
    CHECK_INT(atomic_load(&owned.asked), 0);
    CHECK_INT(RELEASED(owned), 1);
}

static void of_a_config_alone(setter set) {
    struct owned owned = {0};
    lambda_config *config = lambda_config_new();
    CHECK_INT(set(config, &owned, true), LAMBDA_OK);
    CHECK_INT(RELEASED(owned), 0);
    lambda_config_free(config);
    CHECK_INT(RELEASED(owned), 1);
    CHECK_INT(atomic_load(&owned.asked), 0);
}

static void in_every_order(setter set) {
    struct owned config_first = {0};
    lambda_config *config = lambda_config_new();
    CHECK_INT(set(config, &config_first, true), LAMBDA_OK);
    lambda_client *client = made_of(config);
    lambda_config_free(config);
    CHECK_INT(RELEASED(config_first), 0);
    if (set == set_log) {
        CHECK_AT_LEAST(atomic_load(&config_first.asked), 1);
    } else {
        works(client);
        CHECK_INT(atomic_load(&config_first.asked), 1);
    }
    lambda_client_free(client);
    CHECK_INT(RELEASED(config_first), 1);

    struct owned client_first = {0};
    config = lambda_config_new();
    CHECK_INT(set(config, &client_first, true), LAMBDA_OK);
    lambda_client_free(made_of(config));
    CHECK_INT(RELEASED(client_first), 0);
    lambda_config_free(config);
    CHECK_INT(RELEASED(client_first), 1);

    struct owned two_clients = {0};
    config = config_for(set);
    CHECK_INT(set(config, &two_clients, true), LAMBDA_OK);
    lambda_client *first = made_of(config), *second = made_of(config);
    lambda_client_free(first);
    lambda_config_free(config);
    CHECK_INT(RELEASED(two_clients), 0);
    works(second);
    lambda_client_free(second);
    CHECK_INT(RELEASED(two_clients), 1);
}

static void replaced_and_unset(setter set) {
    struct owned first = {0}, second = {0}, third = {0}, never = {0};
    lambda_config *config = config_for(set);
    CHECK_INT(set(config, &first, true), LAMBDA_OK);
    CHECK_INT(set(config, &second, true), LAMBDA_OK);
    CHECK_INT(RELEASED(first), 1);
    CHECK_INT(RELEASED(second), 0);
    /* A client that was made meanwhile keeps what it has. */
    lambda_client *client = made_of(config);
    CHECK_INT(set(config, &third, true), LAMBDA_OK);
    CHECK_INT(RELEASED(second), 0);
    works(client);
    lambda_client_free(client);
    CHECK_INT(RELEASED(second), 1);
    /* user_data without a callback is taken, and released at once. */
    CHECK_INT(set(config, &never, false), LAMBDA_OK);
    CHECK_INT(RELEASED(third), 1);
    CHECK_INT(RELEASED(never), 1);
    lambda_config_free(config);
    CHECK_INT(RELEASED(first) + RELEASED(second) + RELEASED(third) + RELEASED(never), 4);
}

static void without_a_config(setter set) {
    struct owned owned = {0}, nothing = {0};
    CHECK_INT(set(NULL, &owned, true), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(RELEASED(owned), 1);
    CHECK_INT(set(NULL, &nothing, false), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(RELEASED(nothing), 1);
}

static void refused(void) {
    struct owned kept = {0}, bad = {0}, off = {0};
    lambda_config *config = config_for(set_log);
    CHECK_INT(set_log(config, &kept, true), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, 9, hear, &bad, release), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(RELEASED(bad), 1);
    lambda_client *client = NULL;
    CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_OFF, hear, &off, release), LAMBDA_OK);
    CHECK_INT(RELEASED(off), 1);
    CHECK_INT(RELEASED(kept), 1);
    lambda_client_free(made_of(config));
    lambda_config_free(config);
    CHECK_INT(atomic_load(&kept.asked) + atomic_load(&bad.asked) + atomic_load(&off.asked), 0);
    CHECK_INT(RELEASED(kept) + RELEASED(bad) + RELEASED(off), 3);
}

/* A client that could not be made has released it too. */
static void a_client_that_cannot_be_made(setter set) {
    struct owned owned = {0};
    lambda_config *config = lambda_config_new();
    CHECK_INT(set(config, &owned, true), LAMBDA_OK);
    CHECK_INT(lambda_config_set_profile(config, "nobody"), LAMBDA_OK);
    lambda_client *client = NULL;
    CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_E_CONFIG);
    CHECK(client == NULL);
    CHECK_INT(RELEASED(owned), 0);
    lambda_config_free(config);
    CHECK_INT(RELEASED(owned), 1);
}

static void without_release(setter set) {
    struct owned owned = {0};
    lambda_config *config = lambda_config_new();
    if (set == set_log) {
        CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_TRACE, hear, &owned, NULL), LAMBDA_OK);
    } else {
        CHECK_INT(lambda_config_set_credentials_callback(config, give, &owned, NULL), LAMBDA_OK);
    }
    lambda_client_free(client_of(config));
    CHECK_INT(RELEASED(owned), 0);
}

/* A release is the caller's code: it may use the config whose callback is replaced. */
static void the_config_is_used_in_release(setter set) {
    lambda_config *config = lambda_config_new();
    struct owned first = {.config = config}, second = {0};
    CHECK_INT(set(config, &first, true), LAMBDA_OK);
    CHECK_INT(set(config, &second, true), LAMBDA_OK);
    CHECK_INT(RELEASED(first), 1);
    lambda_client *client = made_of(config);
    char *shown = lambda_client_describe(client);
    CHECK_CONTAINS(shown, "\"max_attempts\":{\"source\":\"setter\",\"value\":2}");
    lambda_string_free(shown);
    lambda_client_free(client);
    lambda_config_free(config);
    CHECK_INT(RELEASED(second), 1);
}

/* The call that runs the callback continues to its end, even if its client is freed meanwhile. */
static void freed_in_the_callback(void) {
    struct owned owned = {.frees_client = true};
    lambda_config *config = lambda_config_new();
    CHECK_INT(set_credentials(config, &owned, true), LAMBDA_OK);
    owned.client = client_of(config);
    works(owned.client);
    CHECK_INT(atomic_load(&owned.asked), 1);
    CHECK_INT(RELEASED(owned), 1);
}

struct under_way {
    struct owned owned;
    lambda_client *client;
    int asked;
};

static int32_t let_go(void *user_data) {
    struct under_way *under_way = user_data;
    if (under_way->asked++ == 1) {
        lambda_client_free(under_way->client);
    }
    CHECK_INT(RELEASED(under_way->owned), 0);
    return 0;
}

static void freed_while_a_call_is_under_way(setter set) {
    struct under_way under_way = {.asked = 0};
    lambda_config *config = config_for(set);
    CHECK_INT(set(config, &under_way.owned, true), LAMBDA_OK);
    under_way.client = client_of(config);
    lambda_request *request = request_of("slow", "0.5");
    CHECK_INT(lambda_request_set_interrupt(request, let_go, &under_way), LAMBDA_OK);
    lambda_result *result = invoke_once(under_way.client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_AT_LEAST(under_way.asked, 2);
    CHECK_INT(RELEASED(under_way.owned), 1);
    lambda_result_free(result);
}

/* The child uses and frees everything that its parent made, but releases only what is its own. */
static void forked(setter set) {
    struct owned owned = {0};
    lambda_config *config = config_for(set);
    CHECK_INT(set(config, &owned, true), LAMBDA_OK);
    lambda_client *used = made_of(config), *unused = made_of(config);
    works(used);
    int asked = atomic_load(&owned.asked);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(check_light() ? 100 : 20);
        works(used);
        works(unused);
        /* The child takes over what its parent had loaded, and loads only what it had not. */
        CHECK_AT_LEAST(atomic_load(&owned.asked), asked + 1);
        /* Replaced is released, but for the child's parent. */
        struct owned own = {0};
        CHECK_INT(set(config, &own, true), LAMBDA_OK);
        lambda_client_free(used);
        lambda_client_free(unused);
        CHECK_INT(RELEASED(owned), 0);
        lambda_config_free(config);
        CHECK_INT(RELEASED(own), 1);
        CHECK_INT(RELEASED(owned), 0);
        _exit(check_done());
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    CHECK_INT(RELEASED(owned), 0);
    works(used);
    works(unused);
    lambda_client_free(used);
    lambda_config_free(config);
    CHECK_INT(RELEASED(owned), 0);
    lambda_client_free(unused);
    CHECK_INT(RELEASED(owned), 1);
}

/* The last holder releases it, whichever that is. */
static void *use_and_free(void *client) {
    works(client);
    lambda_client_free(client);
    return NULL;
}

static void from_many_threads(setter set) {
    enum { THREADS = 8 };
    for (int round = 0; round < check_rounds(20, 2); round++) {
        struct owned owned = {0};
        lambda_config *config = config_for(set);
        CHECK_INT(set(config, &owned, true), LAMBDA_OK);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            CHECK_INT(pthread_create(&threads[i], NULL, use_and_free, made_of(config)), 0);
        }
        lambda_config_free(config);
        for (int i = 0; i < THREADS; i++) {
            CHECK_INT(pthread_join(threads[i], NULL), 0);
        }
        CHECK_INT(RELEASED(owned), 1);
    }
}

int main(void) {
    begin_callbacks();
    static const setter setters[] = {set_credentials, set_log};
    for (size_t i = 0; i < sizeof setters / sizeof *setters; i++) {
        of_a_config_alone(setters[i]);
        in_every_order(setters[i]);
        replaced_and_unset(setters[i]);
        without_a_config(setters[i]);
        a_client_that_cannot_be_made(setters[i]);
        without_release(setters[i]);
        the_config_is_used_in_release(setters[i]);
        freed_while_a_call_is_under_way(setters[i]);
        forked(setters[i]);
        from_many_threads(setters[i]);
    }
    beside_keys();
    refused();
    freed_in_the_callback();
    return check_done();
}
