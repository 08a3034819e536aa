/* No server: no connection, or no name. Nothing ran, and the result says so. */

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "call.h"

static lambda_config *config_of(const char *url) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_endpoint_url(config, url), LAMBDA_OK);
    return config;
}

/* A socket bound to a port of its own; nothing listens there unless the caller does. */
static int bound_socket(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(descriptor, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return descriptor;
}

static void nobody_listens(void) {
    uint16_t port;
    int nobody = bound_socket(&port);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    static const struct {
        uint32_t max_attempts, attempts;
        int32_t mode;
    } settings[] = {
        {0, 3, LAMBDA_RETRY_SAFE},
        {1, 1, LAMBDA_RETRY_SAFE},
        {2, 2, LAMBDA_RETRY_ALWAYS},
        {0, 1, LAMBDA_RETRY_NONE},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        lambda_config *config = config_of(url);
        CHECK_INT(lambda_config_set_max_attempts(config, settings[i].max_attempts), LAMBDA_OK);
        CHECK_INT(lambda_config_set_retry(config, settings[i].mode), LAMBDA_OK);
        lambda_client *client = client_of(config);
        lambda_result *result = invoke(client, "f", "{}");
        CHECK_RESULT(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
        CHECK_INT(result->attempts, settings[i].attempts);
        CHECK_INT(result->unknown_attempts, 0);
        CHECK_INT(result->http_status, 0);
        CHECK_STRING(result->request_id, NULL);
        CHECK_CONTAINS(result->error_message, url + strlen("http://"));
        lambda_result_free(result);
        lambda_client_free(client);
    }
    close(nobody);
}

static void no_such_name(void) {
    lambda_client *client = client_of(config_of("http://no-such-name.invalid"));
    lambda_request *request = request_of("f", "{}");
    for (int i = 0; i < 2; i++) {
        lambda_result *result = lambda_invoke(client, request);
        CHECK_RESULT(result, LAMBDA_E_RESOLVE, LAMBDA_EXECUTION_NONE);
        CHECK_AT_LEAST(result->attempts, 1);
        CHECK_INT(result->unknown_attempts, 0);
        CHECK_CONTAINS(result->error_message, "no-such-name.invalid");
        lambda_result_free(result);
    }
    lambda_request_free(request);
    lambda_client_free(client);
}

/* A listener whose queue is full lets connections wait: that is what a connect timeout is for. */
static void nobody_answers(void) {
    uint16_t port;
    int listener = bound_socket(&port), fillers[8];
    CHECK(listen(listener, 0) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(port);
    /* A send timeout bounds connect as well. */
    struct timeval patience = {.tv_usec = 50000};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(setsockopt(fillers[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
        if (connect(fillers[i], (struct sockaddr *)&address, sizeof address) != 0) {
            /* The queue is full. */
            close(fillers[i]);
            fillers[i] = -1;
        }
    }
    CHECK_INT(fillers[sizeof fillers / sizeof *fillers - 1], -1);

    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    lambda_config *config = config_of(url);
    CHECK_INT(lambda_config_set_connect_timeout_ms(config, 100), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, 2), LAMBDA_OK);
    lambda_client *client = client_of(config);
    lambda_result *result = invoke(client, "f", "{}");
    /* It ends the attempt, not the call. */
    CHECK_RESULT(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 2);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_AT_LEAST(result->duration_us, 200000);
    CHECK_AT_MOST(result->duration_us, within_ms(1000) * 1000);
    lambda_result_free(result);
    lambda_client_free(client);

    /* The deadline ends the call. */
    client = client_of(config_of(url));
    lambda_request *request = request_of("f", "{}");
    CHECK_INT(lambda_request_set_timeout_ms(request, 200), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 1);
    CHECK_AT_LEAST(result->duration_us, 200000);
    CHECK_AT_MOST(result->duration_us, within_ms(500) * 1000);
    lambda_result_free(result);
    lambda_client_free(client);

    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        if (fillers[i] >= 0) {
            close(fillers[i]);
        }
    }
    close(listener);
}

/* TLS to a server without TLS. */
static void no_tls(void) {
    const char *url = getenv("AWS_ENDPOINT_URL_LAMBDA");
    char https[128];
    snprintf(https, sizeof https, "https%s", url + strlen("http"));
    lambda_config *config = config_of(https);
    CHECK_INT(lambda_config_set_max_attempts(config, 1), LAMBDA_OK);
    CHECK_INT(lambda_config_set_timeout_ms(config, 20000), LAMBDA_OK);
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(config, &client, &error) == LAMBDA_OK) {
        lambda_result *result = invoke(client, "f", "{}");
        CHECK_RESULT(result, LAMBDA_E_TLS, LAMBDA_EXECUTION_NONE);
        CHECK_INT(result->unknown_attempts, 0);
        lambda_result_free(result);
    } else {
        /* A system without trusted certificates. */
        CHECK_INT(lambda_error_status(error), LAMBDA_E_CONFIG);
        CHECK_CONTAINS(lambda_error_message(error), "certificates");
    }
    lambda_error_free(error);
    lambda_client_free(client);
    lambda_config_free(config);
}

int main(void) {
    nobody_listens();
    no_such_name();
    nobody_answers();
    no_tls();
    return check_done();
}
