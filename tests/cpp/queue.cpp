// The queue as an object: results, wakes, cancellation, moves, and what is refused.

#include "check.hpp"
#include "gate.hpp"

#include <poll.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;

// Longer than anything takes that is waited for here.
constexpr std::chrono::milliseconds LONG = 60s;

lambda::request echo(const std::string &payload) {
    return lambda::request("echo").payload(payload);
}

bool is_readable(const lambda::queue &queue, int wait_ms) {
    pollfd polled = {queue.fd(), POLLIN, 0};
    return poll(&polled, 1, wait_ms) == 1;
}

void results(const lambda::client &client) {
    lambda::queue queue;
    CHECK(!queue.next(0ms));
    CHECK(!queue.next(-1ms));
    CHECK(!is_readable(queue, 0));
    const int calls = check::rounds(50, 5);
    for (int tag = 1; tag <= calls; ++tag) {
        queue.submit(client, echo(std::to_string(tag)), static_cast<std::uint64_t>(tag));
    }
    CHECK_SAME(queue.in_flight(), static_cast<std::size_t>(calls));
    CHECK(is_readable(queue, static_cast<int>(LONG.count())));
    std::uint64_t sum = 0;
    while (queue.in_flight() > 0) {
        const std::optional<lambda::result> result = queue.next(LONG);
        CHECK(result && result->ok());
        if (!result) {
            return;
        }
        CHECK_SAME(result->payload(), std::to_string(result->tag()));
        sum += result->tag();
    }
    CHECK_SAME(sum, static_cast<std::uint64_t>(calls) * static_cast<std::uint64_t>(calls + 1) / 2);
    CHECK_SAME(client.invoke(echo("x")).tag(), std::uint64_t{0});
}

void ends(const lambda::client &client) {
    lambda::queue queue;
    CHECK(queue.try_submit(client, gate::wait("queue"), 7) == lambda::status::ok);
    while (!gate::is_waiting(client, "queue")) {
        CHECK(!queue.next(1ms));
    }
    std::thread waker([&queue] { queue.wake(); });
    CHECK(!queue.next());
    waker.join();
    queue.cancel(7);
    const std::optional<lambda::result> result = queue.next(LONG);
    CHECK(result && result->status() == lambda::status::cancelled && result->tag() == 7);
    CHECK(result && result->execution() == lambda::execution::unknown);
    CHECK(gate::has_ended(client, "queue"));
    {
        lambda::queue left;
        left.submit(client, gate::wait("left"), 1);
        while (!gate::is_waiting(client, "left")) {
            std::this_thread::yield();
        }
    }
    CHECK(gate::has_ended(client, "left"));
}

void refusals(const lambda::client &client) {
    lambda::queue queue;
    // The completion says what is wrong with a field.
    queue.submit(client, echo("x").tenant_id(std::string("a\0b", 3)), 1);
    const std::optional<lambda::result> result = queue.next(LONG);
    CHECK(result && result->status() == lambda::status::invalid_argument);
    CHECK_HAS(result->error_message().value_or(""), "tenant_id");

    lambda::client mine;
    const lambda::client other_client = std::move(mine);
    lambda::request own = echo("x");
    const lambda::request other_request = std::move(own);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK_THROWS(queue.submit(mine, echo("x"), 1), lambda::invalid_argument, CHECK_HAS(caught.what(), "client: was"));
    CHECK_THROWS(queue.submit(client, own, 1), lambda::invalid_argument, CHECK_HAS(caught.what(), "request: was"));
    lambda::queue moved = std::move(queue);
    CHECK_THROWS(queue.submit(client, echo("x"), 1), lambda::invalid_argument,
        CHECK_HAS(caught.what(), "queue: was moved from"));
    CHECK(queue.try_submit(client, echo("x"), 1) == lambda::status::invalid_argument);
    CHECK(queue.get() == nullptr && queue.fd() == -1 && queue.in_flight() == 0 && !queue.next());
    queue.cancel(1);
    queue.wake();
    // NOLINTEND(bugprone-use-after-move)
    moved.submit(client, echo("moved"), 2);
    queue = std::move(moved);
    CHECK_SAME(queue.next(LONG)->payload(), "moved");
}

}  // namespace

int main() {
    // No more than the functions of the endpoint run at once.
    const lambda::client client(lambda::config{}.max_connections(8));
    results(client);
    ends(client);
    refusals(client);
    return check::done();
}
