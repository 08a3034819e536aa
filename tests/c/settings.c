/* The settings of every AWS tool: what their setters refuse, and how a client shows what is in force. */

#include <sys/resource.h>
#include <unistd.h>

#include "call.h"

/* 51 and 2,049 characters and more. */
static char long_id[52], long_name[300], long_url[2100];

static lambda_status set_use_fips(lambda_config *config, const char *number) {
    return lambda_config_set_use_fips(config, (int32_t)strtol(number, NULL, 10));
}

static lambda_status set_use_dual_stack(lambda_config *config, const char *number) {
    return lambda_config_set_use_dual_stack(config, (int32_t)strtol(number, NULL, 10));
}

static void hear(void *user_data, int32_t level, const char *target, const char *message) {
    (void)user_data, (void)level, (void)target, (void)message;
}

static lambda_status set_log(lambda_config *config, const char *number) {
    return lambda_config_set_log(config, (int32_t)strtol(number, NULL, 10), hear, NULL, NULL);
}

struct field {
    const char *name;
    lambda_status (*set)(lambda_config *, const char *);
    /* NULL unsets the texts; each number has its own. */
    const char *unset;
    const char *good;
    const char *bad[10];
};

static const struct field fields[] = {
    /* The setter accepts it; lambda_client_new checks whether the profile exists. */
    {"profile", lambda_config_set_profile, NULL, "default", {"", "\xff", long_name}},
    {"use_fips", set_use_fips, "-1", "0", {"7", "2", "-2", "2147483647", "-2147483648"}},
    {"use_dual_stack", set_use_dual_stack, "-1", "0", {"7", "2", "-2", "2147483647", "-2147483648"}},
    {"ca_bundle", lambda_config_set_ca_bundle, NULL, NULL, {"", "\xff"}},
    {"proxy", lambda_config_set_proxy, NULL, "",
        {"ftp://user:hunter2@host", "http://", "http://user:hunter2@host:port", "http://user:hunter2@host:99999",
            "\xff", long_url}},
    {"app_id", lambda_config_set_app_id, NULL, "orders.v2",
        {"", "my app", "a/b", "a\r\nX: y", "\xc3\xa9", "\xff", long_id}},
    {"log", set_log, "0", "5", {"9", "6", "-1", "2147483647", "-2147483648"}},
};

/* Bounds that are good: the longest, and every character there is. */
static const struct {
    lambda_status (*set)(lambda_config *, const char *);
    const char *value;
} good[] = {
    {lambda_config_set_app_id, "!#$%&'*+-.^_`|~azAZ09"},
    {lambda_config_set_app_id, "12345678901234567890123456789012345678901234567890"},
    {lambda_config_set_app_id, "x"},
    {lambda_config_set_proxy, "http://proxy:3128"},
    {lambda_config_set_proxy, "https://user:hunter2@proxy"},
    {lambda_config_set_proxy, "socks5://user:hunter2@[::1]:1080"},
    {lambda_config_set_profile, "default"},
};

static lambda_config *with_keys(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, "AKID", "hunter2-secret", "hunter2-token"), LAMBDA_OK);
    return config;
}

static void refuses(const char *file, int line, const lambda_config *config, lambda_status status, const char *field) {
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    check_int(file, line, field, lambda_client_new(config, &client, &error), status);
    CHECK(client == NULL);
    if (error != NULL) {
        check_int(file, line, "status", lambda_error_status(error), status);
        const char *message = lambda_error_message(error);
        check_contains(file, line, "message", message, field);
        if (strstr(message, "hunter2") != NULL) {
            check_failed(file, line, "a secret: %s", message);
        }
    }
    lambda_error_free(error);
    lambda_client_free(client);
}

#define REFUSES(config, status, field) refuses(__FILE__, __LINE__, (config), (status), (field))

static void makes(const char *file, int line, const lambda_config *config) {
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(config, &client, &error) != LAMBDA_OK) {
        check_failed(file, line, "no client: %s", lambda_error_message(error));
    }
    lambda_error_free(error);
    lambda_client_free(client);
}

#define MAKES(config) makes(__FILE__, __LINE__, (config))

static void refusals(void) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const struct field *field = &fields[i];
        char begins_with[64];
        snprintf(begins_with, sizeof begins_with, "%s: ", field->name);
        CHECK_INT(field->set(NULL, field->good), LAMBDA_E_INVALID_ARGUMENT);
        for (size_t j = 0; j < sizeof field->bad / sizeof *field->bad && field->bad[j] != NULL; j++) {
            lambda_config *config = with_keys();
            if (field->set(config, field->bad[j]) != LAMBDA_E_INVALID_ARGUMENT) {
                check_failed(__FILE__, __LINE__, "%s took the bad value %zu, \"%.40s\"", field->name, j, field->bad[j]);
            }
            /* Recorded, however often a client is made, until it is set successfully. */
            REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, begins_with);
            REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, begins_with);
            CHECK_INT(lambda_config_set_max_attempts(config, 2), LAMBDA_OK);
            REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, begins_with);
            if (field->good != NULL && strcmp(field->name, "profile") != 0) {
                CHECK_INT(field->set(config, field->good), LAMBDA_OK);
                MAKES(config);
                CHECK_INT(field->set(config, field->bad[j]), LAMBDA_E_INVALID_ARGUMENT);
                REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, begins_with);
            }
            CHECK_INT(field->set(config, field->unset), LAMBDA_OK);
            MAKES(config);
            lambda_config_free(config);
        }
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        lambda_config *config = with_keys();
        CHECK_INT(good[i].set(config, good[i].value), LAMBDA_OK);
        lambda_config_free(config);
    }
}

/* Numbers that are not valid for a switch, one by one: the first error is reported. */
static void several_at_once(void) {
    lambda_config *config = with_keys();
    CHECK_INT(lambda_config_set_use_fips(config, 7), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_config_set_app_id(config, "my app"), LAMBDA_E_INVALID_ARGUMENT);
    REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, "use_fips: 7");
    CHECK_INT(lambda_config_set_use_fips(config, 1), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_INVALID_ARGUMENT, "app_id: \"my app\"");
    CHECK_INT(lambda_config_set_app_id(config, "mine"), LAMBDA_OK);
    MAKES(config);
    lambda_config_free(config);
}

/* Each good by itself. */
static void found_by_the_client(void) {
    lambda_config *config = with_keys();
    CHECK_INT(lambda_config_set_profile(config, "nobody's"), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_CONFIG, "nobody's");
    REFUSES(config, LAMBDA_E_CONFIG, "profile");
    CHECK_INT(lambda_config_set_profile(config, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_ca_bundle(config, "/nowhere/ca.pem"), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_CONFIG, "/nowhere/ca.pem");
    REFUSES(config, LAMBDA_E_CONFIG, "ca_bundle");
    /* No certificate in there. */
    CHECK_INT(lambda_config_set_ca_bundle(config, "/dev/null"), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_CONFIG, "ca_bundle");
    CHECK_INT(lambda_config_set_endpoint_url(config, "http://localhost:1"), LAMBDA_OK);
    /* Also where nothing needs it yet. */
    REFUSES(config, LAMBDA_E_CONFIG, "ca_bundle");
    CHECK_INT(lambda_config_set_ca_bundle(config, NULL), LAMBDA_OK);
    MAKES(config);
    CHECK_INT(lambda_config_set_use_fips(config, 1), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_CONFIG, "use_fips");
    CHECK_INT(lambda_config_set_use_fips(config, 0), LAMBDA_OK);
    CHECK_INT(lambda_config_set_use_dual_stack(config, 1), LAMBDA_OK);
    REFUSES(config, LAMBDA_E_CONFIG, "use_dual_stack");
    CHECK_INT(lambda_config_set_use_dual_stack(config, -1), LAMBDA_OK);
    MAKES(config);
    lambda_config_free(config);
}

/* Where the value ends that begins here; NULL if there is none. */
static const char *end_of_json(const char *text);

static const char *end_of_string(const char *text) {
    if (*text++ != '"') {
        return NULL;
    }
    for (; *text != '"'; text++) {
        if ((unsigned char)*text < 0x20 || (*text == '\\' && *++text == '\0')) {
            return NULL;
        }
    }
    return text + 1;
}

/* Of an object or an array; nothing here has blanks. */
static const char *end_of_members(const char *text, char end) {
    bool named = *text++ == '{';
    if (*text == end) {
        return text + 1;
    }
    for (;;) {
        if (named) {
            text = end_of_string(text);
            if (text == NULL || *text++ != ':') {
                return NULL;
            }
        }
        text = end_of_json(text);
        if (text == NULL || (*text != ',' && *text != end)) {
            return NULL;
        }
        if (*text++ == end) {
            return text;
        }
    }
}

static const char *end_of_json(const char *text) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncmp(text, words[i], strlen(words[i])) == 0) {
            return text + strlen(words[i]);
        }
    }
    switch (*text) {
    case '"': return end_of_string(text);
    case '{': return end_of_members(text, '}');
    case '[': return end_of_members(text, ']');
    default: {
        size_t digits = strspn(text, "0123456789");
        return digits == 0 ? NULL : text + digits;
    }
    }
}

/* Takes the config. The caller's to free. */
static char *described(lambda_config *config) {
    lambda_client *client = client_of(config);
    char *shown = lambda_client_describe(client), *again = lambda_client_describe(client);
    lambda_client_free(client);
    CHECK_STRING(shown, again);
    lambda_string_free(again);
    const char *end = *shown == '{' ? end_of_json(shown) : NULL;
    if (end == NULL || *end != '\0') {
        check_failed(__FILE__, __LINE__, "no JSON object: %s", shown);
    }
    if (strstr(shown, "hunter2") != NULL) {
        check_failed(__FILE__, __LINE__, "a secret: %s", shown);
    }
    return shown;
}

/* "name":{"source":source,"value":value}; a source NULL is any. */
static void check_member(
    const char *file, int line, const char *shown, const char *name, const char *value, const char *source) {
    char member[512];
    if (source == NULL) {
        snprintf(member, sizeof member, "\"%s\":{\"source\":\"", name);
    } else {
        snprintf(member, sizeof member, "\"%s\":{\"source\":\"%s\",\"value\":%s}", name, source, value);
    }
    check_contains(file, line, "describe", shown, member);
}

#define MEMBER(name, value, source) check_member(__FILE__, __LINE__, shown, (name), (value), (source))

static lambda_status give(void *user_data, lambda_credentials *out) {
    (void)user_data, (void)out;
    check_failed(__FILE__, __LINE__, "nobody needs keys here");
    return LAMBDA_E_CREDENTIALS;
}

static void all_by_default(void) {
    char *shown = described(NULL);
    static const char *const names[] = {"region", "endpoint_url", "use_fips", "use_dual_stack", "profile",
        "config_file", "credentials_file", "credentials", "retry", "max_attempts", "connect_timeout_ms", "timeout_ms",
        "max_connections", "max_response_bytes", "ca_bundle", "proxy", "no_proxy", "app_id", "user_agent", "log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        MEMBER(names[i], "", NULL);
    }
    MEMBER("use_fips", "false", "default");
    MEMBER("use_dual_stack", "false", "default");
    MEMBER("profile", "\"default\"", "default");
    MEMBER("retry", "\"safe\"", "default");
    MEMBER("max_attempts", "3", "default");
    MEMBER("app_id", "null", "default");
    MEMBER("proxy", "null", "default");
    MEMBER("log", "\"off\"", "default");
    MEMBER("connect_timeout_ms", "5000", "default");
    MEMBER("timeout_ms", "910000", "default; 60000 for Event and DryRun");
    MEMBER("max_response_bytes", "67108864", "default");
    /* What half of the descriptors allow, with 4 for a call. */
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    char connections[32];
    snprintf(connections, sizeof connections, "%llu", (unsigned long long)limit.rlim_cur / 8);
    MEMBER("max_connections", connections, "system");
    MEMBER("endpoint_url", "\"https://lambda.us-east-1.amazonaws.com\"", "default");
    MEMBER("region", "\"us-east-1\"", "environment variable AWS_REGION");
    MEMBER("config_file", "\"/dev/null\"", "environment variable AWS_CONFIG_FILE");
    lambda_string_free(shown);
}

static void from_setters(void) {
    lambda_config *config = with_keys();
    CHECK_INT(lambda_config_set_region(config, "eu-central-1"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_use_fips(config, 1), LAMBDA_OK);
    CHECK_INT(lambda_config_set_use_dual_stack(config, 1), LAMBDA_OK);
    CHECK_INT(lambda_config_set_proxy(config, "http://hunter2user:hunter2@proxy.example:3128"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_app_id(config, "orders.v2"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, 7), LAMBDA_OK);
    CHECK_INT(lambda_config_set_retry(config, LAMBDA_RETRY_ALWAYS), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_connections(config, 5), LAMBDA_OK);
    CHECK_INT(lambda_config_set_connect_timeout_ms(config, 1234), LAMBDA_OK);
    CHECK_INT(lambda_config_set_timeout_ms(config, 123456), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_response_bytes(config, 1000), LAMBDA_OK);
    CHECK_INT(lambda_config_set_log(config, LAMBDA_LOG_LEVEL_WARN, hear, NULL, NULL), LAMBDA_OK);
    char *shown = described(config);
    MEMBER("region", "\"eu-central-1\"", "setter");
    MEMBER("use_fips", "true", "setter");
    MEMBER("use_dual_stack", "true", "setter");
    MEMBER("endpoint_url", "\"https://lambda-fips.eu-central-1.api.aws\"", "default");
    MEMBER("app_id", "\"orders.v2\"", "setter");
    MEMBER("max_attempts", "7", "setter");
    MEMBER("retry", "\"always\"", "setter");
    MEMBER("max_connections", "5", "setter");
    MEMBER("connect_timeout_ms", "1234", "setter");
    MEMBER("timeout_ms", "123456", "setter");
    MEMBER("max_response_bytes", "1000", "setter");
    MEMBER("log", "\"warn\"", "setter");
    MEMBER("credentials", "\"access key AKID\"", "setter");
    MEMBER("proxy", "\"http://(redacted)@proxy.example:3128\"", "setter");
    CHECK_CONTAINS(shown, " app/orders.v2\"");
    lambda_string_free(shown);

    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, give, NULL, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_endpoint_url(config, "http://localhost:4566"), LAMBDA_OK);
    shown = described(config);
    MEMBER("credentials", "\"callback\"", "setter");
    MEMBER("endpoint_url", "\"http://localhost:4566\"", "setter");
    lambda_string_free(shown);
}

/* Each by the environment, then off by a setter, and by the environment again. */
static void from_the_environment(void) {
    static const char *const variables[][2] = {{"AWS_USE_FIPS_ENDPOINT", "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT", "TRUE"}, {"AWS_SDK_UA_APP_ID", "environment"}, {"AWS_MAX_ATTEMPTS", "9"},
        {"HTTPS_PROXY", "http://u:hunter2@elsewhere:1"}, {"LAMBDA_INVOKE_LOG", "error"}, {"AWS_ACCESS_KEY_ID", "AKENV"},
        {"AWS_SECRET_ACCESS_KEY", "hunter2"}, {"AWS_SESSION_TOKEN", "hunter2"}};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        CHECK(setenv(variables[i][0], variables[i][1], 1) == 0);
    }
    char *shown = described(NULL);
    MEMBER("use_fips", "true", "environment variable AWS_USE_FIPS_ENDPOINT");
    MEMBER("use_dual_stack", "true", "environment variable AWS_USE_DUALSTACK_ENDPOINT");
    MEMBER("app_id", "\"environment\"", "environment variable AWS_SDK_UA_APP_ID");
    MEMBER("max_attempts", "9", "environment variable AWS_MAX_ATTEMPTS");
    MEMBER("proxy", "\"http://(redacted)@elsewhere:1\"", "environment variable HTTPS_PROXY");
    MEMBER("log", "\"error\"", "environment variable LAMBDA_INVOKE_LOG");
    CHECK_CONTAINS(shown, "AKENV");
    lambda_string_free(shown);

    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_use_fips(config, 0), LAMBDA_OK);
    CHECK_INT(lambda_config_set_use_dual_stack(config, 0), LAMBDA_OK);
    CHECK_INT(lambda_config_set_app_id(config, "set"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_proxy(config, ""), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, 4), LAMBDA_OK);
    shown = described(config);
    MEMBER("use_fips", "false", "setter");
    MEMBER("use_dual_stack", "false", "setter");
    MEMBER("app_id", "\"set\"", "setter");
    MEMBER("proxy", "null", "setter");
    MEMBER("max_attempts", "4", "setter");
    lambda_string_free(shown);

    config = lambda_config_new();
    CHECK_INT(lambda_config_set_use_fips(config, 0), LAMBDA_OK);
    CHECK_INT(lambda_config_set_use_fips(config, -1), LAMBDA_OK);
    CHECK_INT(lambda_config_set_app_id(config, "set"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_app_id(config, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_proxy(config, ""), LAMBDA_OK);
    CHECK_INT(lambda_config_set_proxy(config, NULL), LAMBDA_OK);
    CHECK_INT(lambda_config_set_retry(config, LAMBDA_RETRY_ALWAYS), LAMBDA_OK);
    CHECK_INT(lambda_config_set_retry(config, -1), LAMBDA_OK);
    shown = described(config);
    MEMBER("retry", "\"safe\"", "default");
    MEMBER("use_fips", "true", "environment variable AWS_USE_FIPS_ENDPOINT");
    MEMBER("app_id", "\"environment\"", "environment variable AWS_SDK_UA_APP_ID");
    MEMBER("proxy", "\"http://(redacted)@elsewhere:1\"", "environment variable HTTPS_PROXY");
    lambda_string_free(shown);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        CHECK(unsetenv(variables[i][0]) == 0);
    }
}

static void from_a_profile(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/lambda_invoke_settings_%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("[profile orders]\nregion = ap-south-1\nuse_dualstack_endpoint = true\n"
          "aws_access_key_id = AKPROFILE\naws_secret_access_key = hunter2\n",
        file);
    fclose(file);
    CHECK(setenv("AWS_CONFIG_FILE", path, 1) == 0);
    CHECK(unsetenv("AWS_REGION") == 0 && unsetenv("AWS_DEFAULT_REGION") == 0);
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_profile(config, "orders"), LAMBDA_OK);
    char *shown = described(config), source[128];
    MEMBER("profile", "\"orders\"", "setter");
    snprintf(source, sizeof source, "profile orders in %s, region", path);
    MEMBER("region", "\"ap-south-1\"", source);
    snprintf(source, sizeof source, "profile orders in %s, use_dualstack_endpoint", path);
    MEMBER("use_dual_stack", "true", source);
    lambda_string_free(shown);
    CHECK(setenv("AWS_CONFIG_FILE", "/dev/null", 1) == 0);
    CHECK(remove(path) == 0);
}

int main(void) {
    memset(long_id, 'x', sizeof long_id - 1);
    memset(long_name, 'x', sizeof long_name - 1);
    memset(long_url, 'x', sizeof long_url - 1);
    memcpy(long_url, "http://", 7);
    CHECK(lambda_client_describe(NULL) == NULL);
    lambda_string_free(NULL);
    /* What is special to the endpoint of the tests is out of the way; nothing is called here. */
    static const char *const out_of_the_way[] = {"AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy",
        "NO_PROXY", "no_proxy", "LAMBDA_INVOKE_LOG"};
    for (size_t i = 0; i < sizeof out_of_the_way / sizeof *out_of_the_way; i++) {
        CHECK(unsetenv(out_of_the_way[i]) == 0);
    }
    refusals();
    several_at_once();
    found_by_the_client();
    all_by_default();
    from_setters();
    from_the_environment();
    from_a_profile();
    return check_done();
}
