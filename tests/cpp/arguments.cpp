// Times, payloads, callbacks and chains of setters: what may be passed, and what becomes of it.

#include "check.hpp"

#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#define WITH_SPAN
#endif

namespace {

using namespace std::chrono_literals;
using lambda::time_limit;

constexpr std::uint64_t milliseconds(time_limit limit) {
    return limit.milliseconds();
}

using picoseconds = std::chrono::duration<std::int64_t, std::pico>;
using thirds = std::chrono::duration<std::int64_t, std::ratio<1, 3>>;
using few_hours = std::chrono::duration<std::int8_t, std::ratio<3600>>;
using unsigned_microseconds = std::chrono::duration<std::uint32_t, std::micro>;
using float_milliseconds = std::chrono::duration<float, std::milli>;
using float_seconds = std::chrono::duration<double>;

// Rounded up to whole milliseconds.
static_assert(milliseconds(1ms) == 1 && milliseconds(1000000ns) == 1 && milliseconds(1s) == 1000);
static_assert(milliseconds(400us) == 1 && milliseconds(1ns) == 1 && milliseconds(picoseconds(1)) == 1);
static_assert(milliseconds(1001us) == 2 && milliseconds(1999999ns) == 2 && milliseconds(2000001ns) == 3);
static_assert(milliseconds(thirds(1)) == 334 && milliseconds(few_hours(100)) == 360000000);
static_assert(milliseconds(unsigned_microseconds(4000000001)) == 4000001);
static_assert(milliseconds(float_seconds(0.001)) == 1 && milliseconds(float_seconds(0.005)) == 5);
static_assert(milliseconds(float_seconds(0.0004)) == 1 && milliseconds(float_milliseconds(1.5F)) == 2);
static_assert(milliseconds(float_seconds(1e-300)) == 1);
// What is used up is the shortest time, never the default.
static_assert(milliseconds(0ms) == 1 && milliseconds(0s) == 1 && milliseconds(0ns) == 1 && milliseconds(-1ns) == 1);
static_assert(milliseconds(-1h) == 1 && milliseconds(std::chrono::hours::min()) == 1);
static_assert(milliseconds(std::chrono::nanoseconds::min()) == 1 && milliseconds(float_seconds(-0.5)) == 1);
static_assert(milliseconds(float_seconds(std::numeric_limits<double>::quiet_NaN())) == 1);
static_assert(milliseconds(std::chrono::duration_cast<std::chrono::milliseconds>(400us)) == 1);
// What is longer than any call lasts is not short.
constexpr std::uint64_t very_long = std::uint64_t{1} << 62;
static_assert(milliseconds(std::chrono::hours::max()) == very_long);
static_assert(milliseconds(std::chrono::milliseconds::max()) == very_long);
static_assert(milliseconds(float_seconds(std::numeric_limits<double>::infinity())) == very_long);
static_assert(milliseconds(std::chrono::nanoseconds::max()) == 9223372036855);
// The default must be asked for.
static_assert(milliseconds(std::nullopt) == 0);
static_assert(milliseconds(std::optional<std::chrono::seconds>()) == 0);
static_assert(milliseconds(std::optional<std::chrono::seconds>(2s)) == 2000);
static_assert(milliseconds(std::optional<std::chrono::microseconds>(0us)) == 1);
static_assert(!std::is_convertible_v<int, time_limit> && !std::is_convertible_v<double, time_limit>);

// Every setter of a time, with what is left of a time that is used up.
template <typename Time>
void ends_at_once(Time left) {
    const auto is_late = [](const lambda::client &client, const lambda::request &request) {
        const lambda::result result = client.try_invoke(request);
        CHECK_SAME(result.status(), lambda::status::timeout);
        CHECK(result.duration() < 5s);
    };
    const lambda::client patient;
    is_late(patient, lambda::request("gate").payload("wait late").timeout(left));
    const lambda::client hasty(lambda::config().timeout(left));
    is_late(hasty, lambda::request("gate").payload("wait late"));
    is_late(hasty, lambda::request("gate").payload("wait late").timeout(std::nullopt));
    CHECK(hasty.invoke(lambda::request("echo").timeout(std::optional<std::chrono::minutes>(1min))).ok());
}

void times() {
    ends_at_once(std::chrono::duration_cast<std::chrono::milliseconds>(400us));
    ends_at_once(400us);
    ends_at_once(0s);
    ends_at_once(-1h);
    ends_at_once(float_seconds(-0.5));
    const lambda::client client(lambda::config().timeout(std::chrono::hours::max()).connect_timeout(1min + 1ns));
    CHECK_HAS(client.describe(), "60001");
    CHECK(client.invoke(lambda::request("echo").timeout(std::chrono::hours::max())).ok());
    CHECK(client.invoke(lambda::request("echo").timeout(std::nullopt)).ok());
    CHECK_HAS(lambda::client(lambda::config().connect_timeout(1min).connect_timeout(std::nullopt)).describe(), "5000");
}

template <typename... Bytes>
void arrives(const lambda::client &client, std::string_view expected, const Bytes &...bytes) {
    lambda::request request("echo");
    request.payload(bytes...);
    CHECK_SAME(request.payload(), expected);
    CHECK_SAME(client.invoke(request).payload(), expected);
    CHECK_SAME(client.invoke(lambda::request("echo").payload(bytes...)).payload(), expected);
}

void payloads(const lambda::client &client) {
    const std::string expected("a\0b", 3);
    const unsigned char raw[] = {'a', 0, 'b'};
    const std::vector<char> characters(expected.begin(), expected.end());
    arrives(client, expected, expected);
    arrives(client, expected, std::string_view(expected));
    arrives(client, "text", "text");
    arrives(client, "text", static_cast<const char *>("text"));
    arrives(client, expected, raw);
    arrives(client, expected, &raw, sizeof raw);
    arrives(client, expected, characters);
    arrives(client, expected, std::vector<std::uint8_t>(raw, raw + 3));
    arrives(client, expected, std::vector<signed char>{'a', 0, 'b'});
    arrives(client, expected, std::array<std::uint8_t, 3>{'a', 0, 'b'});
    arrives(client, expected, std::array<std::byte, 3>{std::byte{'a'}, std::byte{0}, std::byte{'b'}});
    arrives(client, "", std::vector<std::byte>());
    arrives(client, "", std::string());
    arrives(client, "", nullptr, std::size_t{0});
#if defined(WITH_SPAN)
    arrives(client, expected, std::span(raw));
    arrives(client, expected, std::as_bytes(std::span(characters)));
    arrives(client, "text", std::u8string_view(u8"text"));
#endif
    CHECK_SAME(client.invoke(lambda::request("echo").payload({'a', 0x00, 'b'})).payload(), expected);
    CHECK_SAME(client.invoke(lambda::request("echo").payload({0x61, 0x62})).payload(), "ab");
    CHECK_SAME(client.invoke(lambda::request("echo").payload({'a', 'b'})).payload(), "ab");
    CHECK_SAME(client.invoke(lambda::request("echo").payload({std::byte{0x61}})).payload(), "a");
    CHECK_SAME(client.invoke(lambda::request("echo").payload({raw, 1})).payload(), "a");
    // Only bytes are bytes.
    static_assert(!std::is_convertible_v<std::vector<int>, lambda::bytes>);
    static_assert(!std::is_convertible_v<std::array<bool, 3>, lambda::bytes>);
    static_assert(!std::is_convertible_v<int, lambda::bytes>);
    // NULL with a length is refused, and what was there before is not sent.
    lambda::request request("echo");
    request.payload("before").payload(nullptr, 3);
    CHECK_SAME(request.payload(), "");
    CHECK_SAME(client.try_invoke(request).status(), lambda::status::invalid_argument);
}

bool say_no() {
    return false;
}

struct only_moved {
    std::unique_ptr<int> count = std::make_unique<int>(0);

    bool operator()() { return ++*count < 0; }
    lambda::credentials operator()(int) = delete;
};

void callbacks(const lambda::client &client) {
    only_moved interrupt;
    const int &asked = *interrupt.count;
    lambda::request request("echo");
    request.interrupt(std::move(interrupt));
    CHECK(client.invoke(request).ok());
    CHECK(asked > 0);
    // Copies share it.
    const int before = asked;
    const lambda::request copy = request;
    request = lambda::request("echo");
    CHECK(client.invoke(copy).ok());
    CHECK(asked > before);

    CHECK(client.invoke(lambda::request("echo").interrupt(say_no)).ok());
    CHECK(client.invoke(lambda::request("echo").interrupt(&say_no)).ok());
    CHECK(client.invoke(lambda::request("echo").interrupt(std::function<bool()>(say_no))).ok());
    const auto ends = [] { return true; };
    CHECK_SAME(client.try_invoke(lambda::request("echo").interrupt(ends)).status(), lambda::status::cancelled);
    // All that is empty unsets.
    request.interrupt(ends).interrupt(nullptr);
    CHECK(client.invoke(request).ok());
    request.interrupt(ends).interrupt(std::function<bool()>());
    CHECK(client.invoke(request).ok());
    request.interrupt(ends).interrupt(static_cast<bool (*)()>(nullptr));
    CHECK(client.invoke(request).ok());
    request.interrupt(ends).interrupt(lambda::callback<bool()>());
    CHECK(client.invoke(request).ok());
    static_assert(!std::is_convertible_v<int, lambda::callback<bool()>>);
    static_assert(!std::is_convertible_v<bool (*)(int), lambda::callback<bool()>>);

    int lines = 0;
    auto log = [&lines, own = std::make_unique<int>(0)](
                   lambda::log_level, std::string_view, std::string_view) { lines += 1 + *own; };
    auto given = std::make_unique<lambda::credentials>();
    given->access_key_id = std::getenv("AWS_ACCESS_KEY_ID");
    given->secret_access_key = std::getenv("AWS_SECRET_ACCESS_KEY");
    auto provide = [given = std::move(given)] { return *given; };
    lambda::config config;
    config.credentials_callback(std::move(provide)).log(lambda::log_level::trace, std::move(log));
    const lambda::client own(config);
    CHECK_HAS(own.describe(), "callback");
    CHECK(own.invoke(lambda::request("echo")).ok());
    CHECK(lines > 0);
}

// A chain that begins with an object without a name gives an object; one with a name gives that object.
void chains(const lambda::client &client) {
    auto config = lambda::config{}.region("us-east-1").timeout(1min).use_fips(false).max_attempts(1);
    static_assert(std::is_same_v<decltype(config), lambda::config>);
    auto request = lambda::request("echo").payload("1").log_tail().timeout(1min).interrupt(say_no);
    static_assert(std::is_same_v<decltype(request), lambda::request>);
    static_assert(std::is_same_v<decltype(config.region("us-east-1")), lambda::config &>);
    static_assert(std::is_same_v<decltype(request.log_tail()), lambda::request &>);
    CHECK(&config.region("us-east-1") == &config);
    const lambda::client own(config);
    CHECK_HAS(own.describe(), R"("value":"us-east-1")");
    CHECK_SAME(own.invoke(request).payload(), "1");
    // It outlives the expression that made it.
    const auto &kept = lambda::request("echo").payload("2");
    CHECK_SAME(client.invoke(kept).payload(), "2");
    const std::vector<lambda::request> requests{lambda::request("echo").payload("3")};
    CHECK_SAME(client.invoke(requests.front()).payload(), "3");
    const lambda::client made(lambda::config().region("eu-west-1"));
    CHECK_HAS(made.describe(), "eu-west-1");
}

}  // namespace

int main() {
    const lambda::client client;
    times();
    payloads(client);
    callbacks(client);
    chains(client);
    return check::done();
}
