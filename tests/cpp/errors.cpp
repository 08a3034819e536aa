// Which exception says what.

#include "check.hpp"

#include <vector>

namespace {

using lambda::execution;
using lambda::status;

lambda::result of(lambda_status number) {
    lambda_result made = {};
    made.status = number;
    made.execution = LAMBDA_EXECUTION_NONE;
    made.error_type = "Type";
    made.error_message = "message";
    return lambda::result::copy_of(made);
}

template <typename Error>
void throws(lambda_status number) {
    CHECK_THROWS(of(number).check(), Error, {
        CHECK_SAME(static_cast<lambda_status>(caught.status()), number);
        CHECK_SAME(std::string(caught.what()), std::string(lambda_status_name(number)) + ": Type: message");
    });
    // From a result that stays.
    const lambda::result kept = of(number);
    CHECK_THROWS(kept.check(), Error, CHECK_SAME(caught.result().error_message(), "message"));
    CHECK_SAME(kept.error_message(), "message");
}

void every_status_has_its_class() {
    throws<lambda::function_error>(LAMBDA_FUNCTION_ERROR);
    throws<lambda::invalid_argument>(LAMBDA_E_INVALID_ARGUMENT);
    throws<lambda::config_error>(LAMBDA_E_CONFIG);
    throws<lambda::credentials_error>(LAMBDA_E_CREDENTIALS);
    throws<lambda::connect_error>(LAMBDA_E_RESOLVE);
    throws<lambda::connect_error>(LAMBDA_E_CONNECT);
    throws<lambda::connect_error>(LAMBDA_E_TLS);
    throws<lambda::io_error>(LAMBDA_E_IO);
    throws<lambda::timeout_error>(LAMBDA_E_TIMEOUT);
    throws<lambda::cancelled_error>(LAMBDA_E_CANCELLED);
    throws<lambda::throttled_error>(LAMBDA_E_THROTTLED);
    throws<lambda::service_error>(LAMBDA_E_SERVICE);
    throws<lambda::protocol_error>(LAMBDA_E_PROTOCOL);
    throws<lambda::too_large_error>(LAMBDA_E_TOO_LARGE);
    throws<lambda::error>(LAMBDA_E_INTERNAL);
    throws<lambda::error>(LAMBDA_E_NO_MEMORY);
    // Of a library that is newer than the header.
    throws<lambda::error>(-999);
    CHECK(of(LAMBDA_OK).check().ok());
}

template <typename Base>
bool caught_as(lambda_status number) {
    try {
        of(number).check();
    } catch (const Base &) {
        return true;
    }
    return false;
}

void bases() {
    CHECK(caught_as<lambda::service_error>(LAMBDA_E_THROTTLED));
    CHECK(caught_as<lambda::error>(LAMBDA_E_THROTTLED));
    CHECK(caught_as<std::runtime_error>(LAMBDA_E_THROTTLED));
    CHECK(caught_as<std::exception>(LAMBDA_FUNCTION_ERROR));
}

void an_exception_outlives_all_else() {
    std::vector<lambda::error> kept;
    {
        const lambda::client client;
        lambda::request request("failing");
        request.payload(R"({"how": "raise", "message": "none left"})");
        CHECK_THROWS((void)client.invoke(request), lambda::function_error, kept.push_back(caught));
    }
    const lambda::error copy = kept.at(0);
    kept.clear();
    CHECK_SAME(std::string(copy.what()), "LAMBDA_FUNCTION_ERROR: OutOfStock: none left");
    CHECK_SAME(copy.result().error_type(), "OutOfStock");
    CHECK_HAS(copy.result().payload(), "stackTrace");
    CHECK_SAME(copy.execution(), execution::ran);
    static_assert(std::is_nothrow_copy_constructible_v<lambda::error>);
}

std::string script(const std::string &call, const std::string &actions) {
    return R"({"call": ")" + call + R"(", "attempts": [[)" + actions + "]]}";
}

void from_calls() {
    const lambda::client client;
    CHECK_THROWS((void)client.invoke(lambda::request("nowhere")), lambda::service_error, {
        CHECK_SAME(caught.result().http_status(), 404);
        CHECK_SAME(caught.result().error_type(), "ResourceNotFoundException");
        CHECK_SAME(caught.execution(), execution::none);
    });
    CHECK_THROWS((void)client.invoke(lambda::request("full").retry(lambda::retry::none)), lambda::throttled_error,
        CHECK_SAME(caught.result().retry_after().count(), 1000));
    CHECK_THROWS((void)client.invoke(lambda::request("gate").payload("wait errors").timeout(std::chrono::seconds(1))),
        lambda::timeout_error, CHECK_SAME(caught.execution(), execution::unknown));
    CHECK_THROWS((void)client.invoke(lambda::request("script").payload(script("reset", R"({"do": "reset"})"))),
        lambda::io_error, CHECK_SAME(caught.execution(), execution::unknown));
    CHECK_THROWS(
        (void)client.invoke(lambda::request("script").payload(script("made", R"({"do": "answer", "status": 201})"))),
        lambda::protocol_error, CHECK_SAME(caught.result().http_status(), 201));
    CHECK_THROWS((void)client.invoke(lambda::request("echo").interrupt([] { return true; })), lambda::cancelled_error,
        CHECK_SAME(caught.execution(), execution::none));
    const lambda::client narrow(lambda::config().max_response_bytes(3));
    CHECK_THROWS((void)narrow.invoke(lambda::request("echo").payload("four")), lambda::too_large_error,
        CHECK_SAME(caught.execution(), execution::ran));
}

void refused_by_setters() {
    const lambda::client client;
    // Remembered, until the field is set well.
    lambda::request request("echo");
    request.payload("1").tenant_id("é").qualifier("");
    CHECK_THROWS((void)client.invoke(request), lambda::invalid_argument, {
        CHECK_HAS(caught.what(), "LAMBDA_E_INVALID_ARGUMENT: echo: tenant_id: ");
        CHECK_SAME(caught.result().attempts(), 0u);
    });
    request.tenant_id("e");
    CHECK_THROWS((void)client.invoke(request), lambda::invalid_argument, CHECK_HAS(caught.what(), "qualifier: "));
    request.qualifier(std::nullopt);
    CHECK_SAME(client.invoke(request).payload(), "1");
    CHECK_THROWS((void)client.invoke(lambda::request()), lambda::invalid_argument,
        CHECK_HAS(caught.what(), "function_name: is not set"));
    CHECK_THROWS((void)client.invoke(lambda::request("echo").invocation_type(lambda::invocation_type(9))),
        lambda::invalid_argument, CHECK_HAS(caught.what(), "invocation_type: 9"));
}

void clients_that_cannot_be_made() {
    lambda::config config;
    config.region("us-east-1/evil");
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, {
        CHECK_HAS(caught.what(), "LAMBDA_E_INVALID_ARGUMENT: region: ");
        CHECK_SAME(caught.result().attempts(), 0u);
        CHECK_SAME(caught.execution(), execution::none);
    });
    lambda::failure why;
    CHECK(!lambda::client::try_make(config, &why).has_value());
    CHECK_SAME(why.status, status::invalid_argument);
    CHECK_HAS(why.message, "us-east-1/evil");
    CHECK(!lambda::client::try_make(config).has_value());
    config.region("us-east-1");
    CHECK(lambda::client::try_make(config, &why).has_value());

    config.credentials("AKID", std::nullopt);
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "secret_access_key"));
    config.credentials(std::nullopt, std::nullopt).endpoint_url("no url");
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "endpoint_url"));
}

void what_the_environment_lacks() {
    for (const char *name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        unsetenv(name);
    }
    CHECK_THROWS((void)lambda::client().invoke(lambda::request("echo")), lambda::config_error,
        CHECK_HAS(caught.what(), "AWS_REGION"));
    for (const char *name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) {
        unsetenv(name);
    }
    const lambda::client without_keys(lambda::config().region("us-east-1"));
    CHECK_THROWS((void)without_keys.invoke(lambda::request("echo")), lambda::credentials_error,
        CHECK_SAME(caught.execution(), execution::none));
}

}  // namespace

int main() {
    every_status_has_its_class();
    bases();
    an_exception_outlives_all_else();
    from_calls();
    refused_by_setters();
    clients_that_cannot_be_made();
    what_the_environment_lacks();
    return check::done();
}
