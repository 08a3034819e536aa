/* A setter that rejects a value returns an error, and the object records it: nothing is sent until the field is set
 * successfully. */

#include "call.h"

/* 65, 129, 257 and 3,585 characters. */
static char long_name[66], long_qualifier[130], long_text[258], long_base64[3586], long_json[2800];

static lambda_client *client;

struct text_field {
    const char *name;
    lambda_status (*set)(lambda_request *, const char *);
    const char *good;
    const char *bad[8];
};

static const struct text_field request_texts[] = {
    {"function_name", lambda_request_set_function_name, "counter",
        {"", ".", "..", "a\nb", "\xff", "arn:aws:s3:::bucket", "arn:aws:lambda:cn-north-1:123456789012:function:f",
            long_text}},
    {"qualifier", lambda_request_set_qualifier, "live", {"", "a\nb", "\xc3\x28", long_qualifier}},
    {"client_context", lambda_request_set_client_context,
        "e30=", {"", "{}", "e30", "\xff", "e30=\r\nX: y", long_base64}},
    {"client_context", lambda_request_set_client_context_json, "{}", {"", "{", "{} {}", "\xff", long_json}},
    {"tenant_id", lambda_request_set_tenant_id, "blue", {"", " a", "a ", "a\r\nX: y", "\xff", "\xc3\xa9", long_text}},
    {"durable_execution_name", lambda_request_set_durable_execution_name, "order",
        {"", "a\nb", "\xff", "\xc3\xa9", long_name}},
    {"trace_header", lambda_request_set_trace_header, "Root=1", {"", "a\r\nX: y", "\xff", "\x7f"}},
};

/* How many requests for this function reached the endpoint, not counting this one. */
static long sent_until_now(void) {
    lambda_result *result = invoke(client, "counter", "{}");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    long sent = strtol(payload_text(result), NULL, 10);
    lambda_result_free(result);
    return sent;
}

static void refused(const char *file, int line, const lambda_request *request, const char *field) {
    lambda_result *result = lambda_invoke(client, request);
    check_result(file, line, result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
    check_contains(file, line, "error_message", result->error_message, field);
    check_int(file, line, "attempts", result->attempts, 0);
    lambda_result_free(result);
}

#define CHECK_REFUSED(request, field) refused(__FILE__, __LINE__, (request), (field))

static void accepted(const char *file, int line, const lambda_request *request) {
    lambda_result *result = lambda_invoke(client, request);
    check_result(file, line, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
}

#define CHECK_ACCEPTED(request) accepted(__FILE__, __LINE__, (request))

static void request_text_fields(void) {
    for (size_t i = 0; i < sizeof request_texts / sizeof *request_texts; i++) {
        const struct text_field *field = &request_texts[i];
        for (size_t j = 0; j < sizeof field->bad / sizeof *field->bad && field->bad[j] != NULL; j++) {
            lambda_request *request = request_of("counter", "{}");
            lambda_status status = field->set(request, field->bad[j]);
            if (status != LAMBDA_E_INVALID_ARGUMENT) {
                check_failed(__FILE__, __LINE__, "%s took the bad value %zu, \"%.40s\": %s", field->name, j,
                    field->bad[j], lambda_status_name(status));
                lambda_request_free(request);
                continue;
            }
            CHECK_REFUSED(request, field->name);
            /* It stays so, and a copy has it too. */
            CHECK_REFUSED(request, field->name);
            lambda_request *clone = lambda_request_clone(request);
            CHECK_REFUSED(clone, field->name);
            CHECK_INT(field->set(request, field->good), LAMBDA_OK);
            CHECK_ACCEPTED(request);
            CHECK_REFUSED(clone, field->name);
            /* Unsetting is setting well too, but for the one field that must be there. */
            bool optional = strcmp(field->name, "function_name") != 0;
            CHECK_INT(field->set(clone, NULL), optional ? LAMBDA_OK : LAMBDA_E_INVALID_ARGUMENT);
            if (optional) {
                CHECK_ACCEPTED(clone);
            } else {
                CHECK_REFUSED(clone, field->name);
            }
            lambda_request_free(clone);
            lambda_request_free(request);
        }
    }
}

static void request_numbers(void) {
    static const int32_t unknown[] = {-2, -1, 2, 3, 4, 1000, INT32_MIN, INT32_MAX};
    static const struct {
        const char *name;
        lambda_status (*set)(lambda_request *, int32_t);
        /* What the list above holds of its own good values. */
        int32_t lowest, highest, heals;
    } fields[] = {
        {"invocation_type", lambda_request_set_invocation_type, LAMBDA_INVOCATION_REQUEST_RESPONSE,
            LAMBDA_INVOCATION_DRY_RUN, LAMBDA_INVOCATION_REQUEST_RESPONSE},
        {"log_type", lambda_request_set_log_type, LAMBDA_LOG_TYPE_NONE, LAMBDA_LOG_TYPE_TAIL, LAMBDA_LOG_TYPE_TAIL},
        {"retry", lambda_request_set_retry, -1, LAMBDA_RETRY_ALWAYS, -1},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        for (size_t j = 0; j < sizeof unknown / sizeof *unknown; j++) {
            if (unknown[j] >= fields[i].lowest && unknown[j] <= fields[i].highest) {
                continue;
            }
            lambda_request *request = request_of("counter", "{}");
            CHECK_INT(fields[i].set(request, unknown[j]), LAMBDA_E_INVALID_ARGUMENT);
            CHECK_REFUSED(request, fields[i].name);
            CHECK_INT(fields[i].set(request, fields[i].heals), LAMBDA_OK);
            CHECK_ACCEPTED(request);
            lambda_request_free(request);
        }
    }
}

static void request_payload(void) {
    lambda_request *request = request_of("counter", "{}");
    CHECK_INT(lambda_request_set_payload(request, NULL, 5), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_REFUSED(request, "payload");
    CHECK_INT(lambda_request_set_payload(request, NULL, 0), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    /* More than any object can be. */
    CHECK(lambda_request_set_payload(request, "x", SIZE_MAX) < 0);
    lambda_result *result = lambda_invoke(client, request);
    CHECK(result->status < 0 && result->attempts == 0);
    CHECK_CONTAINS(result->error_message, "payload");
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_payload(request, "{}", 2), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    lambda_request_free(request);
}

static void several_fields(void) {
    lambda_request *request = request_of("counter", "{}");
    CHECK_INT(lambda_request_set_tenant_id(request, ""), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_request_set_trace_header(request, ""), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_request_set_tenant_id(request, "blue"), LAMBDA_OK);
    CHECK_REFUSED(request, "trace_header");
    CHECK_INT(lambda_request_set_trace_header(request, NULL), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    /* A valid value of another field does not clear the error. A rejected value does not restore the previous one. */
    CHECK_INT(lambda_request_set_qualifier(request, ""), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_request_set_tenant_id(request, "red"), LAMBDA_OK);
    CHECK_REFUSED(request, "qualifier");
    CHECK_INT(lambda_request_set_qualifier(request, "live"), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    /* The client context is one field with two setters. */
    CHECK_INT(lambda_request_set_client_context_json(request, "{"), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_request_set_client_context(request, "e30="), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    CHECK_INT(lambda_request_set_client_context(request, "{"), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_request_set_client_context_json(request, NULL), LAMBDA_OK);
    CHECK_ACCEPTED(request);
    lambda_request_free(request);
}

static void config_refused(const char *file, int line, const lambda_config *config, const char *field) {
    lambda_client *never = (lambda_client *)long_text;
    lambda_error *error = NULL;
    check_int(file, line, "lambda_client_new", lambda_client_new(config, &never, &error), LAMBDA_E_INVALID_ARGUMENT);
    check_int(file, line, "lambda_error_status", lambda_error_status(error), LAMBDA_E_INVALID_ARGUMENT);
    check_contains(file, line, "lambda_error_message", lambda_error_message(error), field);
    if (never != (lambda_client *)long_text) {
        check_failed(file, line, "*client was written");
    }
    lambda_error_free(error);
}

#define CHECK_CONFIG_REFUSED(config, field) config_refused(__FILE__, __LINE__, (config), (field))

static void config_accepted(const char *file, int line, const lambda_config *config) {
    lambda_client *made = NULL;
    lambda_error *error = NULL;
    check_int(file, line, "lambda_client_new", lambda_client_new(config, &made, &error), LAMBDA_OK);
    if (error != NULL) {
        check_failed(file, line, "%s", lambda_error_message(error));
    }
    lambda_client_free(made);
}

#define CHECK_CONFIG_ACCEPTED(config) config_accepted(__FILE__, __LINE__, (config))

static void config_texts(void) {
    static const struct {
        const char *name;
        lambda_status (*set)(lambda_config *, const char *);
        const char *good;
        const char *bad[10];
    } fields[] = {
        {"region", lambda_config_set_region, "eu-west-1",
            {"", "US-EAST-1", "us east 1", "-a", "a-", "a.b", "x/", "\xff", "\xc3\xa9", long_name}},
        {"endpoint_url", lambda_config_set_endpoint_url, "http://localhost:1/prefix/",
            {"", "localhost:1", "ftp://localhost", "http://", "http://u:hunter2@localhost", "http://localhost/?hunter2",
                "http://localhost/#x", "http://localhost:70000", "\xff"}},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        for (size_t j = 0; j < sizeof fields[i].bad / sizeof *fields[i].bad && fields[i].bad[j] != NULL; j++) {
            lambda_config *config = lambda_config_new();
            lambda_status status = fields[i].set(config, fields[i].bad[j]);
            if (status != LAMBDA_E_INVALID_ARGUMENT) {
                check_failed(
                    __FILE__, __LINE__, "%s took the bad value %zu, \"%.40s\"", fields[i].name, j, fields[i].bad[j]);
            } else {
                CHECK_CONFIG_REFUSED(config, fields[i].name);
                CHECK_CONFIG_REFUSED(config, fields[i].name);
            }
            CHECK_INT(fields[i].set(config, fields[i].good), LAMBDA_OK);
            CHECK_CONFIG_ACCEPTED(config);
            CHECK_INT(fields[i].set(config, fields[i].bad[j]), LAMBDA_E_INVALID_ARGUMENT);
            CHECK_INT(fields[i].set(config, NULL), LAMBDA_OK);
            CHECK_CONFIG_ACCEPTED(config);
            lambda_config_free(config);
        }
    }
    /* A message does not repeat a password. */
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_endpoint_url(config, "http://u:hunter2@localhost"), LAMBDA_E_INVALID_ARGUMENT);
    lambda_client *never = NULL;
    lambda_error *error = NULL;
    CHECK_INT(lambda_client_new(config, &never, &error), LAMBDA_E_INVALID_ARGUMENT);
    CHECK(strstr(lambda_error_message(error), "hunter2") == NULL);
    lambda_error_free(error);
    lambda_config_free(config);
}

static void config_credentials(void) {
    static const struct {
        const char *id, *secret, *token;
    } bad[] = {
        {"id", NULL, NULL},
        {NULL, "hunter2", NULL},
        {NULL, NULL, "hunter2"},
        {"", "hunter2", NULL},
        {"id", "", NULL},
        {"id", "hunter2", ""},
        {"id", "hunter2\n", NULL},
        {"i d", "hunter2", NULL},
        {"id", "hunter2", "hunter2 "},
        {"\xff", "hunter2", NULL},
        {"id", "hunter2\xff", NULL},
        {"id", "hunter2", "hunter2\xff"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lambda_config *config = lambda_config_new();
        CHECK_INT(
            lambda_config_set_credentials(config, bad[i].id, bad[i].secret, bad[i].token), LAMBDA_E_INVALID_ARGUMENT);
        lambda_client *never = NULL;
        lambda_error *error = NULL;
        CHECK_INT(lambda_client_new(config, &never, &error), LAMBDA_E_INVALID_ARGUMENT);
        const char *message = lambda_error_message(error);
        CHECK(strstr(message, "access_key_id") != NULL || strstr(message, "secret_access_key") != NULL ||
              strstr(message, "session_token") != NULL || strstr(message, "credentials") != NULL);
        CHECK(strstr(message, "hunter2") == NULL);
        lambda_error_free(error);
        CHECK_INT(lambda_config_set_credentials(config, "id", "secret", "token"), LAMBDA_OK);
        CHECK_CONFIG_ACCEPTED(config);
        CHECK_INT(
            lambda_config_set_credentials(config, bad[i].id, bad[i].secret, bad[i].token), LAMBDA_E_INVALID_ARGUMENT);
        CHECK_INT(lambda_config_set_credentials(config, NULL, NULL, NULL), LAMBDA_OK);
        CHECK_CONFIG_ACCEPTED(config);
        lambda_config_free(config);
    }
}

static void config_numbers(void) {
    static const int32_t unknown[] = {-2, 3, 1000, INT32_MIN, INT32_MAX};
    lambda_config *config = lambda_config_new();
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_INT(lambda_config_set_retry(config, unknown[i]), LAMBDA_E_INVALID_ARGUMENT);
        CHECK_CONFIG_REFUSED(config, "retry");
        CHECK_INT(lambda_config_set_retry(config, LAMBDA_RETRY_SAFE), LAMBDA_OK);
        CHECK_CONFIG_ACCEPTED(config);
    }
    /* As large as the type can say, and 0 for the default. */
    CHECK_INT(lambda_config_set_connect_timeout_ms(config, UINT64_MAX), LAMBDA_OK);
    CHECK_INT(lambda_config_set_timeout_ms(config, UINT64_MAX), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, UINT32_MAX), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_connections(config, UINT32_MAX), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_response_bytes(config, UINT64_MAX), LAMBDA_OK);
    for (int round = 0; round < 2; round++) {
        lambda_client *extreme = NULL;
        CHECK_INT(lambda_client_new(config, &extreme, NULL), LAMBDA_OK);
        lambda_result *result = invoke(extreme, "counter", "{}");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        lambda_result_free(result);
        lambda_client_free(extreme);
        CHECK_INT(lambda_config_set_connect_timeout_ms(config, 0), LAMBDA_OK);
        CHECK_INT(lambda_config_set_timeout_ms(config, 0), LAMBDA_OK);
        CHECK_INT(lambda_config_set_max_attempts(config, 0), LAMBDA_OK);
        CHECK_INT(lambda_config_set_max_connections(config, 0), LAMBDA_OK);
        CHECK_INT(lambda_config_set_max_response_bytes(config, 0), LAMBDA_OK);
    }
    lambda_config_free(config);
}

static void fill(char *text, size_t size, char character) {
    memset(text, character, size - 1);
    text[size - 1] = '\0';
}

int main(void) {
    fill(long_name, sizeof long_name, 'x');
    fill(long_qualifier, sizeof long_qualifier, 'x');
    fill(long_text, sizeof long_text, 'x');
    fill(long_base64, sizeof long_base64, 'A');
    /* JSON that is too long once it is base64. */
    fill(long_json, sizeof long_json, ' ');
    memcpy(long_json, "{}", 2);
    client = default_client();

    lambda_request *refusing = request_of("counter", "{}");
    long before = sent_until_now();
    CHECK_INT(lambda_request_set_tenant_id(refusing, ""), LAMBDA_E_INVALID_ARGUMENT);
    for (int i = 0; i < 5; i++) {
        CHECK_REFUSED(refusing, "tenant_id");
    }
    CHECK_INT(sent_until_now(), before + 1);
    lambda_request_free(refusing);

    request_text_fields();
    request_numbers();
    request_payload();
    several_fields();
    config_texts();
    config_credentials();
    config_numbers();
    lambda_client_free(client);
    return check_done();
}
