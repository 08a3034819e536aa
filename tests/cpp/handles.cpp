// Moves, copies, and the forms of strings.

#include "check.hpp"

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <utility>

static_assert(!std::is_copy_constructible_v<lambda::config> && std::is_nothrow_move_constructible_v<lambda::config>);
static_assert(!std::is_copy_constructible_v<lambda::client> && std::is_nothrow_move_constructible_v<lambda::client>);
static_assert(!std::is_copy_constructible_v<lambda::result> && std::is_nothrow_move_constructible_v<lambda::result>);
static_assert(std::is_copy_constructible_v<lambda::request> && std::is_copy_assignable_v<lambda::request>);
static_assert(std::is_nothrow_move_constructible_v<lambda::request>);
static_assert(std::is_nothrow_move_assignable_v<lambda::request>);
// A name alone is no request, a config alone no client: whoever wants one says so.
static_assert(!std::is_convertible_v<const char *, lambda::request>);
static_assert(!std::is_convertible_v<const lambda::config &, lambda::client>);

namespace {

using std::string_view_literals::operator""sv;

std::string described(const lambda::client &client, const lambda::request &request) {
    return std::string(client.invoke(request).payload());
}

void moves() {
    lambda::config config;
    config.region("us-east-1").timeout(std::chrono::seconds(30));
    lambda::config other = std::move(config);
    lambda::client client(other);
    lambda::client moved = std::move(client);
    CHECK(moved.invoke(lambda::request("echo")).ok());

    // What was moved from is refused, and nothing else stands in for it.
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "moved from"));
    CHECK_THROWS((void)client.invoke(lambda::request("echo")), lambda::invalid_argument,
        CHECK_HAS(caught.what(), "echo: client: was moved from"));
    lambda::request request("echo");
    const lambda::request taken = std::move(request);
    const auto is_refused = [&moved](const lambda::request &from) {
        CHECK_THROWS(
            (void)moved.invoke(from), lambda::invalid_argument, CHECK_HAS(caught.what(), "request: was moved from"));
    };
    is_refused(request);
    is_refused(request.interrupt([] { return false; }));
    is_refused(request.payload("1").tenant_id("one"));
    const lambda::request copy_of_nothing = request;
    is_refused(copy_of_nothing);
    // It can be replaced.
    request = taken;
    CHECK(moved.invoke(request).ok());
    CHECK(moved.invoke(taken).ok());

    // A client in use again.
    client = std::move(moved);
    CHECK(client.invoke(taken).ok());
}

void copies(const lambda::client &client) {
    lambda::request first("describe");
    first.payload("1").tenant_id("one");
    lambda::request second = first;
    second.tenant_id("two").payload("2");
    CHECK_HAS(described(client, first), R"("event": 1)");
    CHECK_HAS(described(client, first), R"("tenant_id": "one")");
    CHECK_HAS(described(client, second), R"("event": 2)");
    CHECK_HAS(described(client, second), R"("tenant_id": "two")");
    first = second;
    CHECK_HAS(described(client, first), R"("tenant_id": "two")");
    lambda::request &same = first;
    first = same;
    CHECK_HAS(described(client, first), R"("tenant_id": "two")");
}

void every_field(const lambda::client &client) {
    lambda::request request;
    request.function_name("describe")
        .qualifier("live")
        .invocation_type(lambda::invocation_type::request_response)
        .log_type(lambda::log_type::tail)
        .client_context("e30=")
        .client_context_json(R"({"custom": {"k": "v"}})")
        .payload("3")
        .tenant_id("tenant")
        .durable_execution_name("durable")
        .trace_header("Root=1")
        .timeout(std::chrono::minutes(1))
        .retry(lambda::retry::none)
        .interrupt([] { return false; });
    const lambda::result result = client.invoke(request);
    CHECK_SAME(result.executed_version(), "2");
    CHECK(result.log().has_value());
    CHECK_HAS(result.payload(), R"("event": 3, "version": "2")");
    CHECK_HAS(result.payload(), R"("client_context": {"custom": {"k": "v"}})");
    CHECK_HAS(result.payload(), R"("tenant_id": "tenant", "durable_execution_name": "durable")");
    CHECK_HAS(result.payload(), R"("trace_header": "Root=1")");

    request.qualifier(std::nullopt)
        .log_type(lambda::log_type::none)
        .client_context(std::nullopt)
        .tenant_id(std::nullopt)
        .durable_execution_name(std::nullopt)
        .trace_header(std::nullopt)
        .retry(std::nullopt)
        .timeout(std::nullopt);
    const lambda::result bare = client.invoke(request);
    CHECK_SAME(bare.executed_version(), "$LATEST");
    CHECK_SAME(bare.log(), std::nullopt);
    CHECK_HAS(bare.payload(), R"("client_context": null, "tenant_id": null, "durable_execution_name": null)");
    CHECK_HAS(bare.payload(), R"("trace_header": null)");
}

void every_setting() {
    lambda::config config;
    config.region("us-east-1")
        .endpoint_url(std::getenv("AWS_ENDPOINT_URL_LAMBDA"))
        .credentials(std::getenv("AWS_ACCESS_KEY_ID"), std::getenv("AWS_SECRET_ACCESS_KEY"))
        .connect_timeout(std::chrono::seconds(10))
        .timeout(std::chrono::minutes(1))
        .max_attempts(1)
        .retry(lambda::retry::always)
        .max_connections(2)
        .max_response_bytes(1000);
    CHECK(lambda::client(config).invoke(lambda::request("echo")).ok());
    config.credentials("AKID", "secret", "token");
    CHECK_SAME(lambda::client(config).try_invoke(lambda::request("echo")).http_status(), 403);
    config.retry(lambda::retry(9));
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "retry: 9"));
}

std::ptrdiff_t descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
}

void idle_connections() {
    const lambda::client client;
    const std::ptrdiff_t before = descriptors();
    client.release_idle();
    CHECK(client.invoke(lambda::request("echo")).ok());
    CHECK(descriptors() > before);
    client.release_idle();
    CHECK_SAME(descriptors(), before);
    CHECK(client.invoke(lambda::request("echo")).ok());

    lambda::client moved;
    const lambda::client other = std::move(moved);
    moved.release_idle();  // NOLINT(bugprone-use-after-move): this is what is tested
}

void forms_of_a_string(const lambda::client &client) {
    const std::string_view all = "describe-and-more";
    const std::string string = "describe";
    const std::optional<std::string> optional = string;
    const char *const pointer = string.c_str();
    // The first has no NUL at its end: more follows.
    for (const lambda::text &name : {lambda::text(all.substr(0, 8)), lambda::text(string), lambda::text(optional),
             lambda::text(pointer), lambda::text("describe")}) {
        CHECK_HAS(described(client, lambda::request(name)), "function:describe\"");
    }
    const std::string_view bytes = "12345";
    CHECK_SAME(client.invoke(lambda::request("echo").payload(bytes.substr(0, 2))).payload(), "12");

    lambda::request request("describe");
    for (const lambda::text &none : {lambda::text(nullptr), lambda::text(std::nullopt),
             lambda::text(std::optional<std::string>()), lambda::text(static_cast<const char *>(nullptr))}) {
        request.tenant_id("somebody").tenant_id(none);
        CHECK_HAS(described(client, request), R"("tenant_id": null)");
    }
}

// C would have read "echo", "1" and "us-east-1".
void a_nul_inside_is_refused(const lambda::client &client) {
    const auto refused = [&client](const lambda::request &request, const std::string &field) {
        CHECK_THROWS((void)client.invoke(request), lambda::invalid_argument, {
            CHECK_HAS(caught.what(), field + ": contains a NUL");
            CHECK_SAME(caught.result().attempts(), 0u);
            CHECK_SAME(caught.execution(), lambda::execution::none);
        });
        // Nor do the C functions send it.
        lambda_result *const result = lambda_invoke(client.get(), request.get());
        CHECK_SAME(result->status, LAMBDA_E_INVALID_ARGUMENT);
        lambda_result_free(result);
    };
    refused(lambda::request("echo\0evil"sv), "function_name");
    refused(lambda::request("echo").qualifier("1\0"sv), "qualifier");
    refused(lambda::request("echo").client_context("e30=\0"sv), "client_context");
    refused(lambda::request("echo").client_context_json("{}\0"sv), "client_context");
    refused(lambda::request("echo").tenant_id("\0"sv), "tenant_id");
    refused(lambda::request("echo").durable_execution_name("d\0d"sv), "durable_execution_name");
    refused(lambda::request("echo").trace_header("Root=1\0"sv), "trace_header");
    lambda::config config;
    CHECK_THROWS(lambda::client{config.region("us-east-1\0"sv)}, lambda::invalid_argument,
        CHECK_HAS(caught.what(), "region: contains a NUL"));
    config.region("us-east-1").credentials("AKID", "hunter2\0"sv);
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, {
        CHECK_HAS(caught.what(), "secret_access_key: contains a NUL");
        CHECK(std::string_view(caught.what()).find("hunter2") == std::string_view::npos);
    });
    // Until the field is set to a valid value; of several fields each in turn.
    lambda::request several("echo");
    several.payload("1").tenant_id("a\0"sv).qualifier("1\0"sv).tenant_id("b\0"sv);
    refused(several, "echo: qualifier");
    several.qualifier(std::nullopt);
    refused(several, "echo: tenant_id");
    refused(lambda::request(several), "echo: tenant_id");
    CHECK_SAME(client.invoke(several.tenant_id("a")).payload(), "1");
    // But bytes are bytes.
    CHECK_SAME(client.invoke(lambda::request("echo").payload("a\0b"sv)).payload(), "a\0b"sv);
}

void the_c_functions_take_them_too(const lambda::client &client) {
    lambda::request request("echo");
    CHECK_SAME(lambda_request_set_payload(request.get(), "c", 1), LAMBDA_OK);
    lambda_result *result = lambda_invoke(client.get(), request.get());
    CHECK_SAME(lambda::result::copy_of(*result).payload(), "c");
    lambda_result_free(result);
    lambda::config config;
    CHECK_SAME(lambda_config_set_max_attempts(config.get(), 1), LAMBDA_OK);
}

}  // namespace

int main() {
    const lambda::client client;
    moves();
    idle_connections();
    copies(client);
    every_field(client);
    every_setting();
    forms_of_a_string(client);
    a_nul_inside_is_refused(client);
    the_c_functions_take_them_too(client);
    return check::done();
}
