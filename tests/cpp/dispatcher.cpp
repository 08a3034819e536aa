// Futures and awaitables: every one gets its outcome, however its call ends.

#include "check.hpp"
#include "gate.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using futures = std::vector<std::future<lambda::result>>;

lambda::request echo(const std::string &payload) {
    return lambda::request("echo").payload(payload);
}

// Submits a call that only its end can end, and waits until it is under way.
std::future<lambda::result> waiting(lambda::dispatcher &dispatcher, const lambda::client &client, const char *name) {
    std::future<lambda::result> call = dispatcher.try_invoke(client, gate::wait(name));
    while (!gate::is_waiting(client, name)) {
        std::this_thread::yield();
    }
    return call;
}

void results(const lambda::client &client) {
    lambda::dispatcher dispatcher;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&dispatcher, &client, i] {
            futures calls;
            const int rounds = check::rounds(50, 3);
            for (int round = 0; round < rounds; ++round) {
                calls.push_back(dispatcher.invoke(client, echo(std::to_string(i) + ' ' + std::to_string(round))));
            }
            for (int round = 0; round < rounds; ++round) {
                CHECK_SAME(calls[static_cast<std::size_t>(round)].get().payload(),
                    std::to_string(i) + ' ' + std::to_string(round));
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK_SAME(dispatcher.in_flight(), std::size_t{0});
    // A future that nobody keeps holds nothing up.
    static_cast<void>(dispatcher.try_invoke(client, echo("dropped")));
}

void failures(const lambda::client &client) {
    lambda::dispatcher dispatcher;
    const lambda::request nowhere("nowhere");
    CHECK_THROWS(
        (void)dispatcher.invoke(client, nowhere).get(), lambda::service_error, CHECK_HAS(caught.what(), "nowhere"));
    CHECK(dispatcher.try_invoke(client, nowhere).get().status() == lambda::status::service);
    const lambda::request nul = echo("x").tenant_id(std::string("a\0b", 3));
    CHECK_THROWS((void)dispatcher.invoke(client, nul).get(), lambda::invalid_argument,
        CHECK_HAS(caught.what(), "echo: tenant_id: contains a NUL"));

    lambda::client mine;
    const lambda::client other_client = std::move(mine);
    lambda::request own = echo("x");
    const lambda::request other_request = std::move(own);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK_HAS(dispatcher.try_invoke(mine, echo("x")).get().error_message().value_or(""), "client: was moved from");
    CHECK_HAS(dispatcher.try_invoke(client, own).get().error_message().value_or(""), "request: was moved from");
    // NOLINTEND(bugprone-use-after-move)
    // A call needs neither its client nor its request.
    std::future<lambda::result> alone;
    {
        const lambda::client brief;
        alone = dispatcher.invoke(brief, echo("alone"));
    }
    CHECK_SAME(alone.get().payload(), "alone");
}

void destruction_gives_every_future_its_outcome(const lambda::client &client) {
    const lambda::client narrow(lambda::config{}.max_connections(1));
    std::future<lambda::result> sent, thrown;
    futures unsent;
    {
        lambda::dispatcher dispatcher;
        sent = waiting(dispatcher, client, "sent");
        thrown = dispatcher.invoke(client, gate::wait("thrown"));
        unsent.push_back(dispatcher.try_invoke(narrow, gate::wait("narrow")));
        while (!gate::is_waiting(client, "narrow")) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 20; ++i) {
            unsent.push_back(dispatcher.try_invoke(narrow, echo("never")));
        }
        CHECK_SAME(dispatcher.in_flight(), std::size_t{23});
    }
    const lambda::result result = sent.get();
    CHECK(result.status() == lambda::status::cancelled && result.execution() == lambda::execution::unknown);
    CHECK(gate::has_ended(client, "sent"));
    CHECK_THROWS((void)thrown.get(), lambda::cancelled_error, (void)caught);
    CHECK(unsent.front().get().execution() == lambda::execution::unknown);
    for (std::size_t i = 1; i < unsent.size(); ++i) {
        const lambda::result never = unsent[i].get();
        CHECK(never.status() == lambda::status::cancelled && never.execution() == lambda::execution::none);
    }
}

void moves(const lambda::client &client) {
    lambda::dispatcher one;
    std::future<lambda::result> call = waiting(one, client, "moved");
    lambda::dispatcher other = std::move(one);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK_HAS(one.try_invoke(client, echo("x")).get().error_message().value_or(""), "dispatcher: was moved from");
    CHECK_SAME(one.in_flight(), std::size_t{0});
    // NOLINTEND(bugprone-use-after-move)
    CHECK_SAME(other.in_flight(), std::size_t{1});
    lambda::dispatcher &same = other;
    other = std::move(same);
    CHECK_SAME(other.invoke(client, echo("here")).get().payload(), "here");
    lambda::dispatcher fresh;
    other = std::move(fresh);
    CHECK(call.get().status() == lambda::status::cancelled);
    CHECK_SAME(other.invoke(client, echo("there")).get().payload(), "there");
}

void a_forked_child_makes_its_own(const lambda::client &client) {
    lambda::dispatcher dispatcher;
    std::future<lambda::result> call = waiting(dispatcher, client, "parent");
    const pid_t child = fork();
    if (child == 0) {
        bool well = dispatcher.in_flight() == 0;
        const lambda::result refused = dispatcher.try_invoke(client, echo("x")).get();
        well = well && refused.error_message().value_or("").find("parent process") != std::string_view::npos;
        dispatcher = lambda::dispatcher();
        well = well && dispatcher.try_invoke(client, echo("child")).get().payload() == "child";
        // Without a check for leaks: what belongs to the parent's thread is left alone in the child.
        execlp(well ? "true" : "false", "child", nullptr);
        _exit(2);
    }
    int status = -1;
    CHECK_SAME(waitpid(child, &status, 0), child);
    CHECK_SAME(status, 0);
    CHECK_SAME(dispatcher.in_flight(), std::size_t{1});
    CHECK_SAME(dispatcher.invoke(client, echo("parent")).get().payload(), "parent");
}

// Its thread takes none of the program's signals: this one would end the program there.
void signals_are_blocked(const lambda::client &client) {
    lambda::dispatcher dispatcher;
    CHECK_SAME(dispatcher.invoke(client, echo("started")).get().payload(), "started");
    sigset_t one, before;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, &before);
    kill(getpid(), SIGUSR1);
    CHECK_SAME(dispatcher.invoke(client, echo("alive")).get().payload(), "alive");
    int taken = 0;
    CHECK_SAME(sigwait(&one, &taken), 0);
    CHECK_SAME(taken, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::ptrdiff_t count(const char *folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

void nothing_is_left() {
    // Beside a program's first thread, ThreadSanitizer starts one of its own.
    std::thread([] {}).join();
    const std::ptrdiff_t threads = count("/proc/self/task"), descriptors = count("/proc/self/fd");
    {
        const lambda::client client;
        lambda::dispatcher dispatcher;
        CHECK_SAME(dispatcher.invoke(client, echo("x")).get().payload(), "x");
        CHECK_SAME(count("/proc/self/task"), threads + 2);
    }
    CHECK_SAME(count("/proc/self/fd"), descriptors);
    // The kernel takes a moment longer than the join.
    while (count("/proc/self/task") != threads) {
        std::this_thread::yield();
    }
}

#if defined(__cpp_lib_jthread)
void stop_tokens(const lambda::client &client) {
    lambda::dispatcher dispatcher;
    // On the heap, since g++ 12 takes one on the stack for uninitialized.
    const auto source = std::make_unique<std::stop_source>();
    std::future<lambda::result> call = dispatcher.try_invoke(client, gate::wait("stop"), source->get_token());
    while (!gate::is_waiting(client, "stop")) {
        std::this_thread::yield();
    }
    source->request_stop();
    CHECK(call.get().status() == lambda::status::cancelled);
    CHECK(gate::has_ended(client, "stop"));
    // One that has stopped already.
    CHECK_THROWS((void)dispatcher.invoke(client, gate::wait("never"), source->get_token()).get(),
        lambda::cancelled_error, (void)caught);
    const auto unused = std::make_unique<std::stop_source>();
    CHECK_SAME(dispatcher.invoke(client, echo("y"), unused->get_token()).get().payload(), "y");
    unused->request_stop();
}
#endif

#if defined(__cpp_lib_coroutine)
// A coroutine that starts at once, and whose end nobody awaits but through a promise of its own.
struct task {
    struct promise_type {
        task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

task several(lambda::dispatcher &dispatcher, const lambda::client &client, std::promise<std::string> done) {
    std::string all;
    for (int i = 0; i < 5; ++i) {
        const lambda::result result = co_await dispatcher.co_invoke(client, echo(std::to_string(i)));
        all += result.payload();
    }
    try {
        static_cast<void>(co_await dispatcher.co_invoke(client, lambda::request("nowhere")));
    } catch (const lambda::service_error &) {
        all += " thrown";
    }
    // Refused at once, any number of times without a stack that grows.
    for (int i = 0; i < check::rounds(100000, 100); ++i) {
        const lambda::result refused =
            co_await dispatcher.co_try_invoke(client, echo("").tenant_id(std::string(1, '\0')));
        if (refused.status() != lambda::status::invalid_argument) {
            all += " wrong";
        }
    }
    done.set_value(all);
}

// Tries again whatever happens, until the dispatcher takes no more.
task persistent(lambda::dispatcher &dispatcher, const lambda::client &client, std::promise<std::string> done) {
    std::string message;
    while (message.find("is being destroyed") == std::string::npos) {
        message = (co_await dispatcher.co_try_invoke(client, gate::wait("again"))).error_message().value_or("");
    }
    done.set_value(message);
}

task last_owner(std::unique_ptr<lambda::dispatcher> dispatcher, const lambda::client &client, std::promise<void> done) {
    std::future<lambda::result> left = dispatcher->try_invoke(client, gate::wait("left"));
    static_cast<void>(co_await dispatcher->co_invoke(client, echo("x")));
    dispatcher.reset();
    std::thread(
        [](std::future<lambda::result> late, std::promise<void> then) {
            CHECK(late.get().status() == lambda::status::cancelled);
            then.set_value();
        },
        std::move(left), std::move(done))
        .detach();
}

void coroutines(const lambda::client &client) {
    std::promise<std::string> ends, stops;
    std::future<std::string> ended = ends.get_future(), stopped = stops.get_future();
    {
        lambda::dispatcher dispatcher;
        several(dispatcher, client, std::move(ends));
        CHECK_SAME(ended.get(), "01234 thrown");
        persistent(dispatcher, client, std::move(stops));
        while (!gate::is_waiting(client, "again")) {
            std::this_thread::yield();
        }
    }
    CHECK_HAS(stopped.get(), "dispatcher: is being destroyed");
    std::promise<void> freed;
    std::future<void> is_freed = freed.get_future();
    last_owner(std::make_unique<lambda::dispatcher>(), client, std::move(freed));
    is_freed.get();
}
#endif

}  // namespace

int main() {
    nothing_is_left();
    // No more than the functions of the endpoint run at once.
    const lambda::client client(lambda::config{}.max_connections(8));
    results(client);
    failures(client);
    destruction_gives_every_future_its_outcome(client);
    moves(client);
    a_forked_child_makes_its_own(client);
    signals_are_blocked(client);
#if defined(__cpp_lib_jthread)
    stop_tokens(client);
#endif
#if defined(__cpp_lib_coroutine)
    coroutines(client);
#endif
    return check::done();
}
