// Code that is written against lambda::invoker runs on Lambda and, in its tests, without.

#include "check.hpp"

#include <vector>

namespace {

// Such code: nothing in it knows which of the two it has.
std::string greet(const lambda::invoker &invoker, const std::string &name) {
    return std::string(invoker.invoke(lambda::request("echo").payload(name).tenant_id("t")).payload());
}

struct asked {
    std::string function_name, payload;
};

class fake_lambda : public lambda::invoker {
public:
    mutable std::vector<asked> calls{};

private:
    lambda::result do_invoke(const lambda::request &request) const override {
        calls.push_back({request.function_name(), std::string(request.payload())});
        lambda_result made = {};
        if (request.interrupted()) {
            made.status = LAMBDA_E_CANCELLED;
        } else if (request.function_name() != "echo") {
            made.status = LAMBDA_E_SERVICE;
            made.error_type = "ResourceNotFoundException";
        } else {
            made.execution = LAMBDA_EXECUTION_RAN;
            made.payload = reinterpret_cast<const std::uint8_t *>(request.payload().data());
            made.payload_len = request.payload().size();
        }
        return lambda::result::copy_of(made);
    }
};

struct flag {
    bool up = false;
    bool stop_requested() const { return up; }
};

void behaves(const lambda::invoker &invoker) {
    CHECK_SAME(greet(invoker, "Ada"), "Ada");
    CHECK_THROWS((void)invoker.invoke(lambda::request("nowhere")), lambda::service_error,
        CHECK_SAME(caught.result().error_type(), "ResourceNotFoundException"));
    const lambda::result result = invoker.try_invoke(lambda::request("echo").interrupt([] { return true; }));
    CHECK_SAME(result.status(), lambda::status::cancelled);
    // With a stop token too, which does not take the interrupt's place.
    CHECK(invoker.invoke(lambda::request("echo"), flag{false}).ok());
    CHECK_SAME(invoker.try_invoke(lambda::request("echo"), flag{true}).status(), lambda::status::cancelled);
    CHECK_SAME(invoker.try_invoke(lambda::request("echo").interrupt([] { return true; }), flag{false}).status(),
        lambda::status::cancelled);
    CHECK_THROWS((void)invoker.invoke(lambda::request("echo"), flag{true}), lambda::cancelled_error, (void)caught);
}

// A double may throw what it likes.
struct broken : lambda::invoker {
    lambda::result do_invoke(const lambda::request &) const override { throw std::logic_error("unexpected call"); }
};

}  // namespace

int main() {
    behaves(lambda::client());
    const fake_lambda fake;
    behaves(fake);
    CHECK_SAME(fake.calls.front().function_name, "echo");
    CHECK_SAME(fake.calls.front().payload, "Ada");
    CHECK_THROWS((void)greet(broken(), "Ada"), std::logic_error, CHECK_HAS(caught.what(), "unexpected call"));
    // What a request says of itself.
    lambda::request request;
    CHECK_SAME(request.function_name(), "");
    CHECK_SAME(request.payload(), "");
    request.function_name("one").payload("1");
    const lambda::request copy = request;
    request.function_name(std::nullopt).payload("2");
    CHECK_SAME(request.function_name(), "");
    CHECK_SAME(copy.function_name(), "one");
    CHECK_SAME(copy.payload(), "1");
    return check::done();
}
