/* "Did it run?", response by response: the result of a call, and how many attempts reached the endpoint. */

#include <poll.h>
#include <sys/stat.h>

#include "script.h"

#define NONE LAMBDA_EXECUTION_NONE
#define UNKNOWN LAMBDA_EXECUTION_UNKNOWN
#define RAN LAMBDA_EXECUTION_RAN
#define QUEUED LAMBDA_EXECUTION_QUEUED

/* What follows a response that is the same at every attempt. */
enum again {
    NEVER,
    /* Under RETRY_SAFE and RETRY_ALWAYS. */
    SAFELY,
    /* Under RETRY_ALWAYS only. */
    IF_ALWAYS,
};

static const struct row {
    const char *script;
    lambda_status status;
    int32_t execution, http_status;
    enum again again;
} rows[] = {
    /* No complete head. */
    {"reset", LAMBDA_E_IO, UNKNOWN, 0, IF_ALWAYS},
    {"close", LAMBDA_E_IO, UNKNOWN, 0, IF_ALWAYS},
    {"send HTTP/1.1 200 OK\\r\\nContent-Le\nclose", LAMBDA_E_IO, UNKNOWN, 0, IF_ALWAYS},
    {"send HTTP/1.1 429 Too Many Requests\\r\\nRetry-\nreset", LAMBDA_E_IO, UNKNOWN, 0, IF_ALWAYS},
    /* Not a response of this API. */
    {"send SSH-2.0-OpenSSH_9.9\\r\\n\\r\\n\nclose", LAMBDA_E_PROTOCOL, UNKNOWN, 0, IF_ALWAYS},
    {"send HTTP/9.9 200 OK\\r\\n\\r\\n\nclose", LAMBDA_E_PROTOCOL, UNKNOWN, 0, IF_ALWAYS},
    {"answer 201", LAMBDA_E_PROTOCOL, UNKNOWN, 201, IF_ALWAYS},
    {"answer 206", LAMBDA_E_PROTOCOL, UNKNOWN, 206, IF_ALWAYS},
    {"answer 299", LAMBDA_E_PROTOCOL, UNKNOWN, 299, IF_ALWAYS},
    {"answer 302 Location=/2015-03-31/functions/echo/invocations", LAMBDA_E_PROTOCOL, UNKNOWN, 302, IF_ALWAYS},
    {"answer 304", LAMBDA_E_PROTOCOL, UNKNOWN, 304, IF_ALWAYS},
    {"answer 307 Location=/2015-03-31/functions/echo/invocations", LAMBDA_E_PROTOCOL, UNKNOWN, 307, IF_ALWAYS},
    {"send HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\nConnection: upgrade\\r\\n\\r\\n\nclose",
        LAMBDA_E_PROTOCOL, UNKNOWN, 101, IF_ALWAYS},
    /* It ran. */
    {"answer 200 - 1", LAMBDA_OK, RAN, 200, NEVER},
    {"answer 200", LAMBDA_OK, RAN, 200, NEVER},
    {"answer 200 X-Amz-Function-Error= 1", LAMBDA_OK, RAN, 200, NEVER},
    {"answer 200 X-Amz-Function-Error=Unhandled {}", LAMBDA_FUNCTION_ERROR, RAN, 200, NEVER},
    {"answer 200 X-Amz-Function-Error=Brand-New oops", LAMBDA_FUNCTION_ERROR, RAN, 200, NEVER},
    {"send HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf\nclose", LAMBDA_E_IO, RAN, 200, NEVER},
    {"send HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf\nreset", LAMBDA_E_IO, RAN, 200, NEVER},
    {"send HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhal\nclose", LAMBDA_E_IO, RAN, 200, NEVER},
    {"send HTTP/1.1 200 OK\\r\\nX-Amz-Function-Error: Unhandled\\r\\nContent-Length: 9\\r\\n\\r\\nhalf\nclose",
        LAMBDA_FUNCTION_ERROR, RAN, 200, NEVER},
    /* Accepted events and dry runs, whatever body and headers contain. */
    {"answer 202", LAMBDA_OK, QUEUED, 202, NEVER},
    {"answer 202 X-Amz-Function-Error=Unhandled oops", LAMBDA_OK, QUEUED, 202, NEVER},
    {"answer 204", LAMBDA_OK, NONE, 204, NEVER},
    /* Throttled. */
    {"answer 429", LAMBDA_E_THROTTLED, NONE, 429, SAFELY},
    {"answer 429 x-amzn-ErrorType=TooManyRequestsException {}", LAMBDA_E_THROTTLED, NONE, 429, SAFELY},
    {"answer 400 x-amzn-ErrorType=ThrottlingException {}", LAMBDA_E_THROTTLED, NONE, 400, SAFELY},
    {"answer 403 x-amzn-ErrorType=SlowDown {}", LAMBDA_E_THROTTLED, NONE, 403, SAFELY},
    {"answer 503 x-amzn-ErrorType=ThrottlingException {}", LAMBDA_E_SERVICE, UNKNOWN, 503, IF_ALWAYS},
    /* Errors whose meaning is known. */
    {"answer 404 x-amzn-ErrorType=ResourceNotFoundException {}", LAMBDA_E_SERVICE, NONE, 404, NEVER},
    {"answer 413 x-amzn-ErrorType=RequestTooLargeException {}", LAMBDA_E_SERVICE, NONE, 413, NEVER},
    {"answer 400 x-amzn-ErrorType=RecursiveInvocationException {}", LAMBDA_E_SERVICE, NONE, 400, NEVER},
    {"answer 408 x-amzn-ErrorType=EFSMountTimeoutException {}", LAMBDA_E_SERVICE, NONE, 408, SAFELY},
    {"answer 408 x-amzn-ErrorType=EFSMountConnectivityException {}", LAMBDA_E_SERVICE, NONE, 408, NEVER},
    {"answer 409 x-amzn-ErrorType=SnapStartNotReadyException {}", LAMBDA_E_SERVICE, NONE, 409, SAFELY},
    {"answer 410 x-amzn-ErrorType=EFSIOException {}", LAMBDA_E_SERVICE, UNKNOWN, 410, IF_ALWAYS},
    {"answer 500 x-amzn-ErrorType=ServiceException {}", LAMBDA_E_SERVICE, UNKNOWN, 500, IF_ALWAYS},
    {"answer 502 x-amzn-ErrorType=EC2ThrottledException {}", LAMBDA_E_SERVICE, NONE, 502, SAFELY},
    {"answer 502 x-amzn-ErrorType=ENINotReadyException {}", LAMBDA_E_SERVICE, NONE, 502, SAFELY},
    {"answer 502 x-amzn-ErrorType=InvalidRuntimeException {}", LAMBDA_E_SERVICE, NONE, 502, NEVER},
    /* Errors without a known meaning. */
    {"answer 400", LAMBDA_E_SERVICE, NONE, 400, NEVER},
    {"answer 403 x-amzn-ErrorType=AccessDeniedException {}", LAMBDA_E_SERVICE, NONE, 403, NEVER},
    {"answer 418 x-amzn-ErrorType=Teapot {}", LAMBDA_E_SERVICE, NONE, 418, NEVER},
    {"answer 400 X-Amz-Function-Error=Unhandled", LAMBDA_E_SERVICE, UNKNOWN, 400, IF_ALWAYS},
    {"answer 408", LAMBDA_E_SERVICE, UNKNOWN, 408, IF_ALWAYS},
    {"answer 500", LAMBDA_E_SERVICE, UNKNOWN, 500, IF_ALWAYS},
    {"answer 502 - <html>Bad Gateway</html>", LAMBDA_E_SERVICE, UNKNOWN, 502, IF_ALWAYS},
    {"answer 503 - busy", LAMBDA_E_SERVICE, UNKNOWN, 503, IF_ALWAYS},
    {"answer 504", LAMBDA_E_SERVICE, UNKNOWN, 504, IF_ALWAYS},
    {"answer 599", LAMBDA_E_SERVICE, UNKNOWN, 599, IF_ALWAYS},
};

static void row(const struct row *row, int32_t mode) {
    /* A client for each call, so that the calls do not share a retry quota. */
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_attempts(config, 2), LAMBDA_OK);
    lambda_client *client = client_of(config);
    bool again =
        row->again == SAFELY ? mode != LAMBDA_RETRY_NONE : row->again == IF_ALWAYS && mode == LAMBDA_RETRY_ALWAYS;
    uint32_t attempts = again ? 2 : 1;

    char tenant[64];
    snprintf(tenant, sizeof tenant, "row %d, mode %" PRId32, (int)(row - rows), mode);
    lambda_request *request = script_of(tenant, row->script);
    CHECK_INT(lambda_request_set_retry(request, mode), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    uint32_t unknown = row->execution == UNKNOWN ? attempts : 0;
    long arrived = script_attempts(client, tenant);
    if (result->status != row->status || result->execution != row->execution ||
        result->http_status != row->http_status || result->attempts != attempts ||
        result->unknown_attempts != unknown || arrived != (long)attempts) {
        check_failed(__FILE__, __LINE__,
            "%s under mode %d: %s, execution %d, HTTP %d, %u attempts, %u unknown, %ld arrived; "
            "not %s, %d, HTTP %d, %u, %u, %u (%s)",
            row->script, mode, lambda_status_name(result->status), result->execution, result->http_status,
            result->attempts, result->unknown_attempts, arrived, lambda_status_name(row->status), row->execution,
            row->http_status, attempts, unknown, attempts, check_show(result->error_message));
    }
    CHECK_RESULT(result, row->status, row->execution);
    CHECK((result->function_error != NULL) == (row->status == LAMBDA_FUNCTION_ERROR));
    lambda_result_free(result);
    lambda_client_free(client);
}

/* Several attempts with different responses: the highest execution counts, the HTTP status is the last response's,
 * everything else the last attempt's. */
static const struct mixed {
    const char *script;
    int32_t mode;
    lambda_status status;
    int32_t execution, http_status;
    uint32_t attempts, unknown_attempts;
} mixtures[] = {
    {"answer 429\nthen\nanswer 429\nthen\nanswer 200 - 1", LAMBDA_RETRY_SAFE, LAMBDA_OK, RAN, 200, 3, 0},
    {"answer 429\nthen\nanswer 429\nthen\nanswer 429", LAMBDA_RETRY_SAFE, LAMBDA_E_THROTTLED, NONE, 429, 3, 0},
    {"answer 429\nthen\nreset", LAMBDA_RETRY_SAFE, LAMBDA_E_IO, UNKNOWN, 429, 2, 1},
    {"answer 429\nthen\nanswer 404", LAMBDA_RETRY_SAFE, LAMBDA_E_SERVICE, NONE, 404, 2, 0},
    {"answer 429\nthen\nanswer 202", LAMBDA_RETRY_SAFE, LAMBDA_OK, QUEUED, 202, 2, 0},
    {"reset\nthen\nanswer 200 - 1", LAMBDA_RETRY_ALWAYS, LAMBDA_OK, RAN, 200, 2, 1},
    {"reset\nthen\nanswer 500\nthen\nanswer 200 - 1", LAMBDA_RETRY_ALWAYS, LAMBDA_OK, RAN, 200, 3, 2},
    {"reset\nthen\nanswer 404", LAMBDA_RETRY_ALWAYS, LAMBDA_E_SERVICE, UNKNOWN, 404, 2, 1},
    {"answer 503\nthen\nanswer 429\nthen\nanswer 404", LAMBDA_RETRY_ALWAYS, LAMBDA_E_SERVICE, UNKNOWN, 404, 3, 1},
    {"reset\nthen\nanswer 202", LAMBDA_RETRY_ALWAYS, LAMBDA_OK, QUEUED, 202, 2, 1},
    {"reset\nthen\nanswer 200 X-Amz-Function-Error=Unhandled {}", LAMBDA_RETRY_ALWAYS, LAMBDA_FUNCTION_ERROR, RAN, 200,
        2, 1},
};

static void mixed(void) {
    for (size_t i = 0; i < sizeof mixtures / sizeof *mixtures; i++) {
        const struct mixed *mixed = &mixtures[i];
        lambda_client *client = default_client();
        char tenant[64];
        snprintf(tenant, sizeof tenant, "mixed %zu", i);
        lambda_request *request = script_of(tenant, mixed->script);
        CHECK_INT(lambda_request_set_retry(request, mixed->mode), LAMBDA_OK);
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, mixed->status, mixed->execution);
        CHECK_INT(result->http_status, mixed->http_status);
        CHECK_INT(result->attempts, mixed->attempts);
        CHECK_INT(result->unknown_attempts, mixed->unknown_attempts);
        CHECK_INT(script_attempts(client, tenant), mixed->attempts);
        lambda_result_free(result);
        lambda_client_free(client);
    }
}

/* The client's mode applies unless the request has its own; -1 restores the client's. */
static void modes(void) {
    static const struct {
        int32_t clients, requests;
        uint32_t attempts;
    } settings[] = {
        {LAMBDA_RETRY_SAFE, -1, 1},
        {LAMBDA_RETRY_ALWAYS, -1, 2},
        {LAMBDA_RETRY_ALWAYS, LAMBDA_RETRY_SAFE, 1},
        {LAMBDA_RETRY_ALWAYS, LAMBDA_RETRY_NONE, 1},
        {LAMBDA_RETRY_NONE, LAMBDA_RETRY_ALWAYS, 2},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        lambda_config *config = lambda_config_new();
        CHECK_INT(lambda_config_set_retry(config, settings[i].clients), LAMBDA_OK);
        CHECK_INT(lambda_config_set_max_attempts(config, 2), LAMBDA_OK);
        lambda_client *client = client_of(config);
        char tenant[64];
        snprintf(tenant, sizeof tenant, "modes %zu", i);
        lambda_request *request = script_of(tenant, "reset");
        CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_SAFE), LAMBDA_OK);
        CHECK_INT(lambda_request_set_retry(request, settings[i].requests), LAMBDA_OK);
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_E_IO, UNKNOWN);
        CHECK_INT(result->attempts, settings[i].attempts);
        CHECK_INT(script_attempts(client, tenant), settings[i].attempts);
        lambda_result_free(result);
        lambda_client_free(client);
    }
}

/* What the server sends last has arrived when a socket of this process is readable: a close in the very moment of a
 * reuse is another row of the table. */
static void await_end_of_connection(void) {
    for (int descriptor = 3; descriptor < 64; descriptor++) {
        struct stat status;
        if (fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode)) {
            struct pollfd socket = {.fd = descriptor, .events = POLLIN};
            CHECK_INT(poll(&socket, 1, 20000), 1);
        }
    }
}

/* A connection that the server closed while it was idle is replaced silently. */
static void idle_connections(void) {
    lambda_client *client = default_client();
    for (int i = 0; i < check_rounds(40, 4); i++) {
        lambda_result *result = invoke_once(client, script_of("idle", "answer 200 - 1\nclose"));
        CHECK_RESULT(result, LAMBDA_OK, RAN);
        CHECK_INT(result->attempts, 1);
        lambda_result_free(result);
        await_end_of_connection();
    }
    lambda_client_free(client);
}

int main(void) {
    /* Waits after throttling take up to a second each, so under a slow tool every row runs once. */
    static const int32_t all[] = {LAMBDA_RETRY_SAFE, LAMBDA_RETRY_NONE, LAMBDA_RETRY_ALWAYS};
    for (int mode = 0; mode < check_rounds(3, 1); mode++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            row(&rows[i], all[mode]);
        }
    }
    mixed();
    modes();
    idle_connections();
    return check_done();
}
