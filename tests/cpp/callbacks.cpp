// Interrupts that end a call, by true and by an exception.

#include "gate.hpp"

#include <thread>
#include <vector>

namespace {

// Knows who it is, so that a copy or another one cannot pass for it.
struct enough {
    std::string name;
    const void *self = this;
};

void the_very_exception_arrives(const lambda::client &client) {
    const lambda::request request = gate::wait("thrown").interrupt([&client]() -> bool {
        if (gate::is_waiting(client, "thrown")) {
            throw enough{"thrown"};
        }
        return false;
    });
    try {
        (void)client.invoke(request);
        CHECK(false);
    } catch (const enough &caught) {
        CHECK_SAME(caught.name, "thrown");
        CHECK(caught.self == &caught);
    }
    CHECK(gate::has_ended(client, "thrown"));
}

void an_exception_of_any_type(const lambda::client &client) {
    try {
        (void)client.invoke(lambda::request("count").interrupt([]() -> bool { throw 7; }));
        CHECK(false);
    } catch (int caught) {
        CHECK_SAME(caught, 7);
    }
    // Even one of this header's, of another call.
    lambda::request request("count");
    request.interrupt([&client] { return client.invoke(lambda::request("nowhere")).ok(); });
    CHECK_THROWS((void)client.invoke(request), lambda::service_error, CHECK_SAME(caught.result().http_status(), 404));
}

void without_exceptions_it_is_in_the_result(const lambda::client &client) {
    const lambda::request request = gate::wait("kept").interrupt([&client]() -> bool {
        if (gate::is_waiting(client, "kept")) {
            throw enough{"kept"};
        }
        return false;
    });
    const lambda::result result = client.try_invoke(request);
    CHECK_SAME(result.status(), lambda::status::cancelled);
    // What an exception alone would not tell.
    CHECK_SAME(result.execution(), lambda::execution::unknown);
    CHECK(result.thrown() != nullptr);
    const lambda::result copy = result.clone();
    for (const lambda::result *each : {&result, &copy}) {
        try {
            each->check();
            CHECK(false);
        } catch (const enough &caught) {
            CHECK_SAME(caught.name, "kept");
        }
    }
    CHECK(gate::has_ended(client, "kept"));
}

void it_is_asked_first_and_again_and_again(const lambda::client &client) {
    const std::string before(client.invoke(lambda::request("count")).payload());
    CHECK_THROWS((void)client.invoke(lambda::request("count").interrupt([] { return true; })), lambda::cancelled_error,
        CHECK_SAME(caught.execution(), lambda::execution::none));
    CHECK_SAME(std::stoi(std::string(client.invoke(lambda::request("count")).payload())), std::stoi(before) + 1);

    int asked = 0;
    const auto asking_thread = std::this_thread::get_id();
    const lambda::request request = gate::wait("asked").interrupt([&] {
        CHECK(std::this_thread::get_id() == asking_thread);
        return ++asked == 5;
    });
    CHECK_THROWS((void)client.invoke(request), lambda::cancelled_error, CHECK_SAME(asked, 5));
}

void it_can_be_changed_and_is_copied_along(const lambda::client &client) {
    lambda::request request("count");
    request.interrupt([] { return true; });
    const lambda::request copy = request;
    CHECK(client.try_invoke(request.interrupt(nullptr)).ok());
    CHECK(client.try_invoke(request.interrupt([] { return false; })).ok());
    CHECK_SAME(client.try_invoke(copy).status(), lambda::status::cancelled);
    lambda::request moved = lambda::request(copy);
    CHECK_SAME(client.try_invoke(moved).status(), lambda::status::cancelled);
}

void a_failure_goes_before_an_interrupt_that_says_nothing(const lambda::client &client) {
    const lambda::request request = lambda::request("nowhere").interrupt([] { return false; });
    CHECK_THROWS((void)client.invoke(request), lambda::service_error, CHECK(caught.result().thrown() == nullptr));
}

// One request, many threads, an exception for each.
void every_thread_gets_its_own(const lambda::client &client) {
    thread_local int number = 0;
    lambda::request request("gate");
    request.payload("wait together").interrupt([]() -> bool { throw enough{std::to_string(number)}; });
    std::vector<std::thread> threads;
    for (int i = 1; i <= 8; ++i) {
        threads.emplace_back([&client, &request, i] {
            number = i;
            for (int round = check::rounds(50, 3); round > 0; --round) {
                try {
                    (void)client.invoke(request);
                    CHECK(false);
                } catch (const enough &caught) {
                    CHECK_SAME(caught.name, std::to_string(i));
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

}  // namespace

int main() {
    const lambda::client client;
    the_very_exception_arrives(client);
    an_exception_of_any_type(client);
    without_exceptions_it_is_in_the_result(client);
    it_is_asked_first_and_again_and_again(client);
    it_can_be_changed_and_is_copied_along(client);
    a_failure_goes_before_an_interrupt_that_says_nothing(client);
    every_thread_gets_its_own(client);
    return check::done();
}
