// What a call gives: every field of a result, and results without a call.

#include "check.hpp"

#include <utility>

namespace {

void a_run(const lambda::client &client) {
    const lambda::result result = client.invoke(lambda::request("echo").payload("{\"a\":1}").log_tail());
    CHECK(result.ok());
    CHECK(static_cast<bool>(result));
    CHECK_SAME(result.status(), lambda::status::ok);
    CHECK_SAME(result.execution(), lambda::execution::ran);
    CHECK_SAME(result.http_status(), 200);
    CHECK_SAME(result.attempts(), 1u);
    CHECK_SAME(result.unknown_attempts(), 0u);
    CHECK_SAME(result.payload(), "{\"a\":1}");
    CHECK_SAME(result.payload().data()[result.payload().size()], '\0');
    CHECK_HAS(result.log().value_or(""), "START RequestId: ");
    CHECK_SAME(result.function_error(), std::nullopt);
    CHECK_SAME(result.error_type(), std::nullopt);
    CHECK_SAME(result.error_message(), std::nullopt);
    CHECK_SAME(result.throttle_reason(), std::nullopt);
    CHECK_SAME(result.retry_after().count(), 0);
    CHECK_SAME(result.request_id().value_or("").size(), 36u);
    CHECK_SAME(result.executed_version(), "$LATEST");
    CHECK_SAME(result.durable_execution_arn(), std::nullopt);
    CHECK_SAME(result.content_type(), "application/octet-stream");
    CHECK(result.duration().count() > 0);
    CHECK(result.thrown() == nullptr);
    CHECK(&result.check() == &result);
}

void bytes(const lambda::client &client) {
    const std::string all("\0\xff\0x", 4);
    CHECK_SAME(client.invoke(lambda::request("echo").payload(all)).payload(), all);
    const unsigned char raw[] = {0, 255, 0};
    CHECK_SAME(client.invoke(lambda::request("echo").payload(raw, sizeof raw)).payload(), all.substr(0, 3));
    CHECK_SAME(client.invoke(lambda::request("echo").payload(nullptr, 0)).payload(), "");
}

void other_types(const lambda::client &client) {
    lambda::request request("echo");
    const lambda::result event = client.invoke(request.invocation_type(lambda::invocation_type::event));
    CHECK_SAME(event.execution(), lambda::execution::queued);
    CHECK_SAME(event.http_status(), 202);
    const lambda::result dry = client.invoke(request.invocation_type(lambda::invocation_type::dry_run));
    CHECK_SAME(dry.execution(), lambda::execution::none);
    CHECK_SAME(dry.http_status(), 204);
}

void a_failure_without_exceptions(const lambda::client &client) {
    lambda::request request("failing");
    request.payload(R"({"how": "raise", "message": "none left"})").log_tail();
    const lambda::result result = client.try_invoke(request);
    CHECK(!result.ok());
    CHECK_SAME(result.status(), lambda::status::function_error);
    CHECK_SAME(result.execution(), lambda::execution::ran);
    CHECK_SAME(result.function_error(), "Unhandled");
    CHECK_SAME(result.error_type(), "OutOfStock");
    CHECK_SAME(result.error_message(), "none left");
    CHECK_HAS(result.log().value_or(""), "about to fail");
    CHECK_HAS(result.payload(), "stackTrace");
}

void throttled(const lambda::client &client) {
    const lambda::result result = client.try_invoke(lambda::request("full").retry(lambda::retry::none));
    CHECK_SAME(result.status(), lambda::status::throttled);
    CHECK_SAME(result.throttle_reason(), "ReservedFunctionConcurrentInvocationLimitExceeded");
    CHECK_SAME(result.retry_after().count(), 1000);
}

void copies(const lambda::client &client) {
    std::optional<lambda::result> first(client.invoke(lambda::request("echo").payload("kept")));
    const lambda::result copy = first->clone();
    const lambda::result moved = std::move(*first);
    first.reset();
    CHECK_SAME(copy.payload(), "kept");
    CHECK_SAME(moved.payload(), "kept");
    CHECK(copy.payload().data() != moved.payload().data());
    CHECK_SAME(moved.get()->payload_len, 4u);
}

void moved_from(const lambda::client &client) {
    lambda::result from = client.invoke(lambda::request("echo").payload("kept").log_tail());
    const lambda::result to = std::move(from);
    for (const lambda::result &each : {from.clone(), lambda::result::copy_of(*from.get()), std::move(from)}) {
        CHECK(!each.ok());
        CHECK_SAME(each.status(), lambda::status::invalid_argument);
        CHECK_SAME(each.execution(), lambda::execution::unknown);
        CHECK_SAME(each.error_message(), "result: was moved from");
        CHECK_SAME(each.payload(), "");
        CHECK_SAME(each.log(), std::nullopt);
        CHECK_SAME(each.request_id(), std::nullopt);
        CHECK_SAME(each.duration().count(), 0);
        CHECK_THROWS(each.check(), lambda::invalid_argument, CHECK_HAS(caught.what(), "was moved from"));
    }
    CHECK_SAME(to.payload(), "kept");
    // An exception still has its result.
    try {
        to.clone().check();
        (void)client.invoke(lambda::request("nowhere"));
    } catch (lambda::service_error &caught) {
        const lambda::service_error other = std::move(caught);
        CHECK_SAME(caught.result().http_status(), 404);
        CHECK_SAME(other.result().http_status(), 404);
    }
}

// A test of somebody who uses this header needs results of any kind.
void made_up() {
    lambda_result made = {};
    made.status = LAMBDA_E_THROTTLED;
    made.execution = LAMBDA_EXECUTION_NONE;
    made.retry_after_ms = UINT64_MAX;
    made.durable_execution_arn = "arn";
    made.log = "log";
    made.log_len = 3;
    const lambda::result result = lambda::result::copy_of(made);
    CHECK_SAME(result.status(), lambda::status::throttled);
    CHECK(result.retry_after() == std::chrono::milliseconds::max());
    CHECK_SAME(result.durable_execution_arn(), "arn");
    CHECK_SAME(result.log(), "log");
    CHECK_SAME(result.payload(), "");
    CHECK(result.error_message().has_value());
}

template <typename Enum>
std::string streamed(Enum value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

template <typename Enum>
void is_named(Enum value, const char *name) {
    CHECK_SAME(to_string(value), name);
    CHECK_SAME(streamed(value), name);
}

void names() {
    is_named(lambda::status::ok, "ok");
    is_named(lambda::status::function_error, "function_error");
    is_named(lambda::status::timeout, "timeout");
    is_named(lambda::status(-999), "status(-999)");
    is_named(lambda::execution::unknown, "unknown");
    is_named(lambda::execution::queued, "queued");
    is_named(lambda::execution(7), "execution(7)");
    is_named(lambda::invocation_type::dry_run, "dry_run");
    is_named(lambda::invocation_type(7), "invocation_type(7)");
    is_named(lambda::log_type::tail, "tail");
    is_named(lambda::log_type(7), "log_type(7)");
    is_named(lambda::retry::always, "always");
    is_named(lambda::retry(7), "retry(7)");
    is_named(lambda::log_level::trace, "trace");
    is_named(lambda::log_level(7), "log_level(7)");
    // Every status that the C header has is named as there.
    for (lambda_status number = LAMBDA_E_NO_MEMORY; number <= LAMBDA_FUNCTION_ERROR; ++number) {
        std::string name = to_string(lambda::status(number));
        for (char &letter : name) {
            letter = static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
        }
        CHECK_SAME(std::string(number < 0 ? "LAMBDA_E_" : "LAMBDA_") + name, lambda_status_name(number));
    }
    CHECK_SAME(lambda::status_name(lambda::status::timeout), "LAMBDA_E_TIMEOUT");
    CHECK_SAME(lambda::status_name(static_cast<lambda::status>(-999)), "LAMBDA_STATUS_UNKNOWN");
    CHECK_SAME(lambda::version(), lambda_version());
}

}  // namespace

int main() {
    const lambda::client client;
    a_run(client);
    bytes(client);
    other_types(client);
    a_failure_without_exceptions(client);
    throttled(client);
    copies(client);
    moved_from(client);
    made_up();
    names();
    return check::done();
}
