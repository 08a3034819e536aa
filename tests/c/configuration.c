/* Missing or wrong settings in the environment: found when the client is made, or reported by every call. */

#include "call.h"

static char endpoint[256], access_key_id[128], secret_access_key[128];

static void as_it_was(void) {
    CHECK(setenv("AWS_ENDPOINT_URL_LAMBDA", endpoint, 1) == 0);
    CHECK(setenv("AWS_ACCESS_KEY_ID", access_key_id, 1) == 0);
    CHECK(setenv("AWS_SECRET_ACCESS_KEY", secret_access_key, 1) == 0);
    CHECK(setenv("AWS_REGION", "us-east-1", 1) == 0);
    CHECK(unsetenv("AWS_DEFAULT_REGION") == 0);
    CHECK(unsetenv("AWS_ENDPOINT_URL") == 0);
    CHECK(unsetenv("AWS_SESSION_TOKEN") == 0);
}

static void refuses(const char *function, lambda_status status, const char *part) {
    lambda_client *client = default_client();
    lambda_result *result = invoke(client, function, "{}");
    CHECK_RESULT(result, status, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 0);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_INT(result->http_status, 0);
    CHECK_CONTAINS(result->error_message, part);
    CHECK(strstr(result->error_message, secret_access_key) == NULL);
    lambda_result_free(result);
    lambda_client_free(client);
}

static void works(lambda_client *client) {
    lambda_result *result = invoke(client, "echo", "works");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "works");
    lambda_result_free(result);
    lambda_client_free(client);
}

static void bad_environment(const char *variable, const char *value) {
    CHECK(setenv(variable, value, 1) == 0);
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    lambda_status status = lambda_client_new(NULL, &client, &error);
    if (status != LAMBDA_E_CONFIG) {
        check_failed(__FILE__, __LINE__, "%s=%s: %s, not LAMBDA_E_CONFIG", variable, value, lambda_status_name(status));
    }
    CHECK(client == NULL);
    CHECK_INT(lambda_error_status(error), LAMBDA_E_CONFIG);
    CHECK_CONTAINS(lambda_error_message(error), variable);
    CHECK(strstr(lambda_error_message(error), "hunter2") == NULL);
    lambda_error_free(error);
    lambda_client_free(client);
    as_it_was();
}

static void credentials(void) {
    CHECK(unsetenv("AWS_ACCESS_KEY_ID") == 0 && unsetenv("AWS_SECRET_ACCESS_KEY") == 0);
    refuses("echo", LAMBDA_E_CREDENTIALS, "AWS_ACCESS_KEY_ID");
    CHECK(setenv("AWS_ACCESS_KEY_ID", "id", 1) == 0);
    refuses("echo", LAMBDA_E_CREDENTIALS, "AWS_SECRET_ACCESS_KEY");
    CHECK(unsetenv("AWS_ACCESS_KEY_ID") == 0 && setenv("AWS_SECRET_ACCESS_KEY", secret_access_key, 1) == 0);
    refuses("echo", LAMBDA_E_CREDENTIALS, "AWS_ACCESS_KEY_ID");
    /* Set but empty is not set. */
    CHECK(setenv("AWS_ACCESS_KEY_ID", "", 1) == 0);
    refuses("echo", LAMBDA_E_CREDENTIALS, "AWS_ACCESS_KEY_ID");
    as_it_was();
    /* Invalid credentials are found when the client is made, as all errors of the environment are. */
    bad_environment("AWS_ACCESS_KEY_ID", "i d");
    bad_environment("AWS_ACCESS_KEY_ID", "\xff");
    CHECK(setenv("AWS_ACCESS_KEY_ID", "\xff", 1) == 0);

    /* The client's settings take precedence over the environment. */
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, access_key_id, secret_access_key, NULL), LAMBDA_OK);
    works(client_of(config));
    as_it_was();
    works(default_client());
    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, "other", "other", "other"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, NULL, NULL, NULL), LAMBDA_OK);
    works(client_of(config));
}

static void region(void) {
    CHECK(unsetenv("AWS_REGION") == 0);
    refuses("echo", LAMBDA_E_CONFIG, "AWS_REGION");
    refuses("123456789012:function:echo", LAMBDA_E_CONFIG, "region");
    /* A full ARN brings its own. */
    lambda_client *client = default_client();
    lambda_result *result = invoke(client, "arn:aws:lambda:ap-south-1:123456789012:function:echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_client_free(client);
    CHECK(setenv("AWS_DEFAULT_REGION", "us-east-1", 1) == 0);
    works(default_client());
    CHECK(setenv("AWS_REGION", "", 1) == 0);
    works(default_client());

    lambda_config *config = lambda_config_new();
    CHECK(setenv("AWS_REGION", "eu-north-1", 1) == 0);
    CHECK_INT(lambda_config_set_region(config, "us-east-1"), LAMBDA_OK);
    works(client_of(config));
    as_it_was();
}

static void environment(void) {
    bad_environment("AWS_ENDPOINT_URL_LAMBDA", "localhost:1");
    bad_environment("AWS_ENDPOINT_URL_LAMBDA", "ftp://localhost");
    bad_environment("AWS_ENDPOINT_URL_LAMBDA", "http://user:hunter2@localhost");
    bad_environment("AWS_ENDPOINT_URL_LAMBDA", "http://\xff");
    bad_environment("AWS_REGION", "us-east-1.evil.example/");
    bad_environment("AWS_REGION", "\xff");

    /* The general one counts when the particular one is not set. */
    CHECK(unsetenv("AWS_ENDPOINT_URL_LAMBDA") == 0 && setenv("AWS_ENDPOINT_URL", endpoint, 1) == 0);
    works(default_client());
    bad_environment("AWS_REGION", "Nowhere");
    CHECK(unsetenv("AWS_ENDPOINT_URL_LAMBDA") == 0);
    bad_environment("AWS_ENDPOINT_URL", "nowhere");

    /* If a setter has set the value, an error in the environment does not matter. */
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_endpoint_url(config, endpoint), LAMBDA_OK);
    CHECK(setenv("AWS_ENDPOINT_URL_LAMBDA", "nowhere", 1) == 0);
    works(client_of(config));
    as_it_was();
}

/* The environment is read when the client is made, and never again; nothing is written there. */
static void read_once(void) {
    lambda_client *client = default_client();
    CHECK(setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1", 1) == 0);
    CHECK(setenv("AWS_REGION", "eu-west-1", 1) == 0);
    CHECK(setenv("AWS_SECRET_ACCESS_KEY", "another", 1) == 0);
    works(client);
    CHECK_STRING(getenv("AWS_ENDPOINT_URL_LAMBDA"), "http://127.0.0.1:1");
    CHECK_STRING(getenv("AWS_SECRET_ACCESS_KEY"), "another");
    as_it_was();
}

int main(void) {
    snprintf(endpoint, sizeof endpoint, "%s", getenv("AWS_ENDPOINT_URL_LAMBDA"));
    snprintf(access_key_id, sizeof access_key_id, "%s", getenv("AWS_ACCESS_KEY_ID"));
    snprintf(secret_access_key, sizeof secret_access_key, "%s", getenv("AWS_SECRET_ACCESS_KEY"));
    credentials();
    region();
    environment();
    read_once();
    return check_done();
}
