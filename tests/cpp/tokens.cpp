// Calls that another thread ends: by a token of one's own, and by std::stop_token where there is one.

#include "gate.hpp"

#include <thread>

#if __has_include(<stop_token>) && __cplusplus >= 202002L
#include <stop_token>
#define WITH_STOP_TOKEN
#endif

namespace {

struct flag {
    std::atomic<bool> up{false};
    bool stop_requested() const noexcept { return up; }
};

// Asks the endpoint until the call is there, so that what ends it comes while it waits.
void until_waiting(const lambda::client &client, const std::string &name) {
    while (!gate::is_waiting(client, name)) {
        std::this_thread::yield();
    }
}

template <typename Stop, typename Request>
void ends_a_call_under_way(
    const lambda::client &client, const std::string &name, const Stop &stop, Request request_stop) {
    std::thread other([&] {
        until_waiting(client, name);
        request_stop();
    });
    const lambda::request request = gate::wait(name);
    CHECK_THROWS((void)client.invoke(request, stop), lambda::cancelled_error,
        CHECK_SAME(caught.execution(), lambda::execution::unknown));
    other.join();
    CHECK(gate::has_ended(client, name));
    // Once up, nothing more is sent.
    const lambda::result result = client.try_invoke(request, stop);
    CHECK_SAME(result.status(), lambda::status::cancelled);
    CHECK_SAME(result.attempts(), 0u);
}

void token_and_interrupt_both_count(const lambda::client &client) {
    const flag down;
    const lambda::request stopped = lambda::request("count").interrupt([] { return true; });
    CHECK_SAME(client.try_invoke(stopped, down).status(), lambda::status::cancelled);
    const lambda::request throwing = lambda::request("count").interrupt([]() -> bool { throw 7; });
    CHECK(client.try_invoke(throwing, down).thrown() != nullptr);
    CHECK(client.invoke(lambda::request("count"), down).ok());
}

// A token may throw as well.
void a_token_that_throws(const lambda::client &client) {
    struct broken {
        bool stop_requested() const { throw 7; }
    };
    try {
        (void)client.invoke(lambda::request("count"), broken());
        CHECK(false);
    } catch (int caught) {
        CHECK_SAME(caught, 7);
    }
}

}  // namespace

int main() {
    const lambda::client client;
    flag own;
    ends_a_call_under_way(client, "own", own, [&own] { own.up = true; });
    token_and_interrupt_both_count(client);
    a_token_that_throws(client);
#if defined(WITH_STOP_TOKEN)
    std::stop_source source;
    ends_a_call_under_way(client, "std", source.get_token(), [&source] { source.request_stop(); });
    // One that nobody can stop.
    CHECK(client.invoke(lambda::request("count"), std::stop_token()).ok());
#endif
    return check::done();
}
