/* Files that are slow to read, as on a network that is down: here a pipe to which nobody writes. No fork waits for one, and
 * during a call its deadline and its interrupt hold. Every row has a process of its own. */

#define _XOPEN_SOURCE 700

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

enum { TIMEOUT_MS = 1000, FORKS = 20 };

static char folder[] = "/tmp/lambda-slow-XXXXXX";
/* The pipe of a row, and another file that it needs. */
static char slow[256], other[256];

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void config_file(void) {
    setenv("AWS_CONFIG_FILE", slow, 1);
}

static void credentials_file(void) {
    setenv("AWS_SHARED_CREDENTIALS_FILE", slow, 1);
}

static void ca_bundle(void) {
    setenv("AWS_ENDPOINT_URL_LAMBDA", "https://127.0.0.1:1", 1);
    setenv("AWS_CA_BUNDLE", slow, 1);
}

static void cert_file(void) {
    setenv("AWS_ENDPOINT_URL_LAMBDA", "https://127.0.0.1:1", 1);
    setenv("SSL_CERT_FILE", slow, 1);
}

static void web_identity(void) {
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", slow, 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r", 1);
}

static void container(void) {
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", slow, 1);
}

static void sso(void) {
    write_file(other, "[default]\nsso_start_url = https://start.example\nsso_region = us-east-1\n"
                      "sso_account_id = 123456789012\nsso_role_name = r\n");
    setenv("AWS_CONFIG_FILE", other, 1);
    setenv("HOME", folder, 1);
}

/* Where the token of that start URL is cached: the name is its SHA-1. */
#define SSO_FOLDER "/.aws/sso/cache"
#define SSO_TOKEN SSO_FOLDER "/1c5a689b7bb92284d0c514c4b1c1e1ce96d9621f.json"

static void login(void) {
    write_file(other, "[default]\nregion = us-east-1\nlogin_session = arn:aws:iam::123456789012:user/me\n");
    setenv("AWS_CONFIG_FILE", other, 1);
    setenv("AWS_LOGIN_CACHE_DIRECTORY", folder, 1);
}

/* Where the token of that session is cached: the name is its SHA-256. */
#define LOGIN_TOKEN "/286187707741fc2ccb93cf9e56dbd0ee0a16208feed5fbc8ae1baa86d44c283f.json"

static const struct row {
    const char *name;
    void (*set_up)(void);
    /* It is read by the call, not with the client. */
    bool by_call;
    const char *path;
} rows[] = {
    {"AWS_CONFIG_FILE", config_file, false, "/slow"},
    {"AWS_SHARED_CREDENTIALS_FILE", credentials_file, false, "/slow"},
    {"AWS_CA_BUNDLE", ca_bundle, false, "/slow"},
    {"SSL_CERT_FILE", cert_file, false, "/slow"},
    {"AWS_WEB_IDENTITY_TOKEN_FILE", web_identity, true, "/slow"},
    {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", container, true, "/slow"},
    {"SSO's cached token", sso, true, SSO_TOKEN},
    {"the cached token of aws login", login, true, LOGIN_TOKEN},
};

static int32_t counts(void *asked) {
    ++*(int *)asked;
    return 0;
}

static void *call(void *by_call) {
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
        /* A pipe that ends at once is no certificate. */
        CHECK(!*(const bool *)by_call);
        lambda_error_free(error);
        return NULL;
    }
    if (*(const bool *)by_call) {
        int asked = 0;
        lambda_request *request = request_of("echo", "1");
        CHECK_INT(lambda_request_set_timeout_ms(request, within_ms(TIMEOUT_MS)), LAMBDA_OK);
        CHECK_INT(lambda_request_set_interrupt(request, counts, &asked), LAMBDA_OK);
        uint64_t began = now_ms();
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
        CHECK_AT_MOST(now_ms() - began, within_ms(TIMEOUT_MS + 200));
        CHECK_AT_LEAST(asked, 5);
        lambda_result_free(result);
    }
    lambda_client_free(client);
    return NULL;
}

static uint64_t slowest_fork(void) {
    uint64_t slowest = 0;
    for (int i = 0; i < FORKS; i++) {
        uint64_t began = now_ms();
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        uint64_t took = now_ms() - began;
        slowest = took > slowest ? took : slowest;
        CHECK_INT(waitpid(child, NULL, 0), child);
    }
    return slowest;
}

static void is_slow(const struct row *row) {
    row->set_up();
    CHECK_INT(mkfifo(slow, 0600), 0);
    pthread_t calling;
    bool by_call = row->by_call;
    CHECK_INT(pthread_create(&calling, NULL, call, &by_call), 0);
    /* Opens when the library reads, which it does until this end is closed. */
    int writer = open(slow, O_WRONLY);
    CHECK(writer >= 0);
    CHECK_AT_MOST(slowest_fork(), within_ms(500));
    if (by_call) {
        CHECK_INT(pthread_join(calling, NULL), 0);
        close(writer);
    } else {
        close(writer);
        CHECK_INT(pthread_join(calling, NULL), 0);
    }
}

int main(void) {
    CHECK(mkdtemp(folder) != NULL);
    char path[256];
    const char *folders[] = {"/.aws", "/.aws/sso", SSO_FOLDER};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", folder, folders[i]);
        CHECK_INT(mkdir(path, 0700), 0);
    }
    snprintf(other, sizeof other, "%s/config", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(slow, sizeof slow, "%s%s", folder, rows[i].path);
        pid_t child = fork();
        if (child == 0) {
            /* The local endpoint's credentials are not to be found before the file. */
            if (rows[i].by_call) {
                unsetenv("AWS_ACCESS_KEY_ID");
                unsetenv("AWS_SECRET_ACCESS_KEY");
            }
            alarm(check_light() ? 200 : 20);
            is_slow(&rows[i]);
            _exit(check_done());
        }
        int status = -1;
        CHECK_INT(waitpid(child, &status, 0), child);
        if (status != 0) {
            check_failed(__FILE__, __LINE__, "%s: wait status %d", rows[i].name, status);
        }
        unlink(slow);
    }
    unlink(other);
    for (int i = 2; i >= 0; i--) {
        snprintf(path, sizeof path, "%s%s", folder, folders[i]);
        rmdir(path);
    }
    rmdir(folder);
    return check_done();
}
