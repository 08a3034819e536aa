// Functions that a config takes: credentials and log; what they throw, and when they are destroyed.

#include "check.hpp"

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using std::string_view_literals::operator""sv;
using lambda::log_level;
using clock = std::chrono::system_clock;

lambda::credentials good_keys() {
    return {std::getenv("LOCAL_ID"), std::getenv("LOCAL_SECRET"), std::nullopt, std::nullopt};
}

// Only the callback has keys.
void hide_keys() {
    setenv("LOCAL_ID", std::getenv("AWS_ACCESS_KEY_ID"), 1);
    setenv("LOCAL_SECRET", std::getenv("AWS_SECRET_ACCESS_KEY"), 1);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
}

lambda::client asking(std::function<lambda::credentials()> ask) {
    return lambda::client(lambda::config().credentials_callback(std::move(ask)));
}

void keys_are_kept_until_they_expire() {
    std::atomic<int> asked{0};
    const auto here = std::this_thread::get_id();
    const lambda::client client = asking([&] {
        ++asked;
        CHECK(std::this_thread::get_id() == here);
        return good_keys();
    });
    CHECK_SAME(asked, 0);
    for (int i = 0; i < 3; ++i) {
        CHECK_SAME(client.invoke(lambda::request("echo").payload("1")).payload(), "1");
    }
    CHECK_SAME(asked, 1);
    CHECK_HAS(client.describe(), "callback");

    const auto calls_of_three = [](std::optional<clock::time_point> expires) {
        int count = 0;
        const lambda::client expiring = asking([&count, expires] {
            ++count;
            lambda::credentials keys = good_keys();
            keys.expires = expires;
            return keys;
        });
        for (int i = 0; i < 3; ++i) {
            CHECK(expiring.invoke(lambda::request("echo")).ok());
        }
        return count;
    };
    CHECK_SAME(calls_of_three(clock::now() + std::chrono::hours(1)), 1);
    CHECK_SAME(calls_of_three(clock::now() - std::chrono::hours(1)), 3);
    // No time means never, and an early one does not.
    CHECK_SAME(calls_of_three(clock::time_point()), 3);
    CHECK_SAME(calls_of_three(clock::time_point(std::chrono::hours(-1))), 3);
}

void one_for_many_threads() {
    std::atomic<int> asked{0}, inside{0};
    const lambda::client client = asking([&] {
        CHECK_SAME(++inside, 1);
        ++asked;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        --inside;
        return good_keys();
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&client] { CHECK(client.invoke(lambda::request("echo")).ok()); });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK_SAME(asked, 1);
}

void the_service_sees_the_token() {
    const lambda::client client = asking([] {
        lambda::credentials keys = good_keys();
        keys.session_token = "hunter2-token";
        return keys;
    });
    CHECK_THROWS((void)client.invoke(lambda::request("echo")), lambda::service_error, {
        CHECK_SAME(caught.result().http_status(), 403);
        CHECK(std::string_view(caught.what()).find("hunter2") == std::string_view::npos);
    });
}

void fails(std::function<lambda::credentials()> ask, const char *part) {
    const lambda::client client = asking(std::move(ask));
    CHECK_THROWS((void)client.invoke(lambda::request("echo")), lambda::credentials_error, {
        CHECK_HAS(caught.what(), "the credentials callback: ");
        CHECK_HAS(caught.what(), part);
        CHECK(std::string_view(caught.what()).find("hunter2") == std::string_view::npos);
        CHECK_SAME(caught.execution(), lambda::execution::none);
        CHECK_SAME(caught.result().attempts(), 0u);
        CHECK(caught.result().thrown() == nullptr);
    });
}

void exceptions_become_messages() {
    fails([]() -> lambda::credentials { throw std::runtime_error("the vault is locked"); }, "the vault is locked");
    fails([]() -> lambda::credentials { throw 7; }, "not a std::exception");
    // Of a call of another client.
    const lambda::client other(lambda::config().credentials(std::getenv("LOCAL_ID"), std::getenv("LOCAL_SECRET")));
    fails(
        [&other]() -> lambda::credentials {
            return {std::string(other.invoke(lambda::request("nowhere")).payload()), "hunter2"};
        },
        "ResourceNotFoundException");
    fails([]() -> lambda::credentials { throw std::runtime_error("\xff"); }, "UTF-8");
    fails([]() -> lambda::credentials { return {"AKID", "hunter 2"}; }, "secret_access_key");
    fails([]() -> lambda::credentials { return {"AKID", std::string("hunter2\0"sv)}; },
        "secret_access_key: contains a NUL");
    fails([]() -> lambda::credentials { return {}; }, "access_key_id");
    fails([]() -> lambda::credentials { return {"AKID", "hunter2", ""}; }, "session_token");
}

void after_a_failure_it_is_asked_again() {
    int asked = 0;
    const lambda::client client = asking([&asked] {
        if (++asked == 1) {
            throw std::runtime_error("not yet");
        }
        return good_keys();
    });
    CHECK_SAME(client.try_invoke(lambda::request("echo")).status(), lambda::status::credentials);
    CHECK(client.invoke(lambda::request("echo")).ok());
    CHECK_SAME(asked, 2);
}

void static_keys_go_first_and_an_empty_function_unsets() {
    const auto never = []() -> lambda::credentials {
        CHECK(false);
        return {};
    };
    lambda::config config;
    config.credentials_callback(never).credentials(std::getenv("LOCAL_ID"), std::getenv("LOCAL_SECRET"));
    CHECK(lambda::client(config).invoke(lambda::request("echo")).ok());
    config.credentials(std::nullopt, std::nullopt).credentials_callback(nullptr);
    CHECK_SAME(lambda::client(config).try_invoke(lambda::request("echo")).status(), lambda::status::credentials);
}

struct line {
    log_level level{};
    std::string target{}, message{};
};

void log_lines() {
    std::mutex mutex;
    std::vector<line> lines;
    lambda::config config;
    config.credentials(std::getenv("LOCAL_ID"), std::getenv("LOCAL_SECRET"))
        .log(log_level::trace, [&](log_level level, std::string_view target, std::string_view message) {
            const std::lock_guard<std::mutex> lock(mutex);
            lines.push_back({level, std::string(target), std::string(message)});
        });
    CHECK(lambda::client(config).invoke(lambda::request("echo")).ok());
    bool debug = false, trace = false;
    for (const line &each : lines) {
        CHECK_SAME(each.target.rfind("lambda_invoke::", 0), 0u);
        CHECK(each.message.find(std::getenv("LOCAL_SECRET")) == std::string::npos);
        debug = debug || (each.level == log_level::debug && each.target == "lambda_invoke::call");
        trace = trace || each.level == log_level::trace;
    }
    CHECK(debug && trace);

    lines.clear();
    const auto count = [&](log_level, std::string_view, std::string_view) { lines.emplace_back(); };
    CHECK(lambda::client(config.log(log_level::error, count)).invoke(lambda::request("echo")).ok());
    CHECK(lambda::client(config.log(log_level::off, count)).invoke(lambda::request("echo")).ok());
    CHECK(lambda::client(config.log(log_level::trace, nullptr)).invoke(lambda::request("echo")).ok());
    CHECK(lines.empty());

    std::atomic<int> thrown{0};
    config.log(log_level::debug, [&thrown](log_level, std::string_view, std::string_view) {
        ++thrown;
        throw std::runtime_error("nobody catches this");
    });
    CHECK(lambda::client(config).invoke(lambda::request("echo")).ok());
    CHECK(thrown > 0);
}

// Counts those that live.
class counted {
public:
    explicit counted(std::atomic<int> &living) : living_(&living) { ++living; }
    counted(const counted &other) : living_(other.living_) { ++*living_; }
    counted &operator=(const counted &) = delete;
    ~counted() { --*living_; }

    lambda::credentials operator()() const { return good_keys(); }
    void operator()(log_level, std::string_view, std::string_view) const {}

private:
    std::atomic<int> *living_;
};

void functions_live_as_long_as_needed() {
    std::atomic<int> living{0};
    const counted one(living);
    std::optional<lambda::config> config(std::in_place);
    config->credentials_callback(one).log(log_level::trace, one);
    CHECK_SAME(living, 3);
    // What is replaced is gone, and what is refused.
    config->credentials_callback(one).log(log_level::trace, one);
    CHECK_SAME(living, 3);
    (void)lambda::config().log(lambda::log_level(9), one);
    CHECK_SAME(living, 3);
    std::optional<lambda::client> first(std::in_place, *config), second(std::in_place, *config);
    CHECK_SAME(living, 3);
    config->credentials_callback(nullptr).log(log_level::off, nullptr);
    config.reset();
    CHECK_SAME(living, 3);
    CHECK(first->invoke(lambda::request("echo")).ok());
    first.reset();
    CHECK_SAME(living, 3);
    CHECK(second->invoke(lambda::request("echo")).ok());
    second.reset();
    CHECK_SAME(living, 1);

    // A config that was moved from takes nothing and keeps nothing.
    lambda::config from;
    const lambda::config to = std::move(from);
    from.credentials_callback(one).log(log_level::trace, one);
    CHECK_SAME(living, 1);
}

}  // namespace

int main() {
    hide_keys();
    keys_are_kept_until_they_expire();
    one_for_many_threads();
    the_service_sees_the_token();
    exceptions_become_messages();
    after_a_failure_it_is_asked_again();
    static_keys_go_first_and_an_empty_function_unsets();
    log_lines();
    functions_live_as_long_as_needed();
    return check::done();
}
