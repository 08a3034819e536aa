/// @file
///
/// Invokes AWS Lambda functions from C++17 and later: header only, over the C ABI of lambda_invoke.h, whose conventions
/// hold here.
///
/// Handles    Every object frees what it holds. A request can be copied, the others only moved.
///            Every object that was moved from says "was moved from" where it is used: a client, a config and a request
///            make the call or the new client fail with status::invalid_argument, and a result has that status.
/// Setters    Return the object, so that calls can be chained: an lvalue returns a reference, an rvalue a new object,
///            as in `auto config = lambda::config{}.region("us-east-1");`. A setter does not report a value that cannot
///            be sent. The object remembers it, and making the client or the call fails with a message that names the
///            field, until the field is set to a valid value.
/// Strings    In: `text`, any string or std::nullopt, which unsets; copied, so it needs no NUL at its end. A NUL inside
///            is rejected like any other value that cannot be sent; the string is never cut there. Out:
///            std::string_view into the object that returns it, valid while that object lives.
/// Times      In: `time_limit`, a duration of any unit, rounded up to whole milliseconds, or std::nullopt, which stands
///            for the default. A duration of zero or less, such as the rest of a time that is used up, counts as 1 ms
///            and never as the default.
/// Failures   invoke() throws error or a class derived from it; try_invoke() never throws for a failed call. Both tell
///            whether the function ran: result::execution(). Without memory for a handle: std::bad_alloc.
/// Threads    client, queue and dispatcher: any thread at any time, except for moving and destroying them. All others:
///            one thread at a time, many may read, so many threads may invoke one request at once.
/// Callbacks  `callback`, any function object, also one that can only be moved. It may throw. An exception from an
///            interrupt ends the call, and invoke() throws that very exception once the C function has returned. The
///            what() of an exception from a credentials callback becomes part of the failed call's message. An
///            exception from a log callback is ignored. A function that config takes lives until the last object that
///            could call it is gone.
/// Tests      Write code against `invoker`, which client implements, and give it a class of your own in tests: see
///            there.
/// Compilers  Without exceptions (-fno-exceptions) there are no functions that throw for a failed call, only those with
///            try_ in their names; callbacks cannot throw, and what would be std::bad_alloc ends the program. Such code
///            may share a program with code that has exceptions, but not objects of these classes.

#ifndef LAMBDA_INVOKE_HPP
#define LAMBDA_INVOKE_HPP

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <iosfwd>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#if __cplusplus >= 202002L
#include <version>
#endif
#if defined(__cpp_lib_coroutine)
#include <coroutine>
#endif
#if defined(__cpp_lib_jthread)
#include <stop_token>
#endif

#include "lambda_invoke.h"

static_assert(LAMBDA_VERSION_MAJOR == 0 && LAMBDA_VERSION_NUMBER >= 1000,
    "lambda_invoke.hpp needs the lambda_invoke.h that it came with: another one is found first on the include path");

// Macros for this header's own use, undefined at its end.
#if defined(__cpp_exceptions)
#define LAMBDA_INVOKE_HPP_EXCEPTIONS
#endif
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define LAMBDA_INVOKE_HPP_VIEW [[clang::lifetimebound]]
#endif
#endif
#if !defined(LAMBDA_INVOKE_HPP_VIEW)
#define LAMBDA_INVOKE_HPP_VIEW
#endif

namespace lambda {

#if !defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
// Separate names: the linker must not replace a function that catches exceptions by one from here that does not.
inline namespace without_exceptions {
#endif

/// Says how a call ended: LAMBDA_* of the C header, where each is explained. Only ok is a success. May hold a number
/// that this header has no name for, from a newer library.
enum class status : lambda_status {
    ok = LAMBDA_OK,
    function_error = LAMBDA_FUNCTION_ERROR,
    invalid_argument = LAMBDA_E_INVALID_ARGUMENT,
    config = LAMBDA_E_CONFIG,
    credentials = LAMBDA_E_CREDENTIALS,
    resolve = LAMBDA_E_RESOLVE,
    connect = LAMBDA_E_CONNECT,
    tls = LAMBDA_E_TLS,
    io = LAMBDA_E_IO,
    timeout = LAMBDA_E_TIMEOUT,
    cancelled = LAMBDA_E_CANCELLED,
    throttled = LAMBDA_E_THROTTLED,
    service = LAMBDA_E_SERVICE,
    protocol = LAMBDA_E_PROTOCOL,
    too_large = LAMBDA_E_TOO_LARGE,
    internal = LAMBDA_E_INTERNAL,
    no_memory = LAMBDA_E_NO_MEMORY,
};

/// Says whether the function ran: LAMBDA_EXECUTION_* of the C header.
enum class execution : std::int32_t {
    /// It cannot be known: the function may have run, may be running or may run yet.
    unknown = LAMBDA_EXECUTION_UNKNOWN,
    /// The function did not run and will not.
    none = LAMBDA_EXECUTION_NONE,
    /// The function was started. The status tells whether it finished, and how.
    ran = LAMBDA_EXECUTION_RAN,
    /// Lambda accepted the event and will run the function.
    queued = LAMBDA_EXECUTION_QUEUED,
};

/// Chooses what Lambda does with a request: LAMBDA_INVOCATION_* of the C header.
enum class invocation_type : std::int32_t {
    /// Run the function and wait for its response.
    request_response = LAMBDA_INVOCATION_REQUEST_RESPONSE,
    /// Queue an event.
    event = LAMBDA_INVOCATION_EVENT,
    /// Check only whether the function could be invoked.
    dry_run = LAMBDA_INVOCATION_DRY_RUN,
};

/// Chooses whether the response brings the end of the function's log: LAMBDA_LOG_TYPE_* of the C header.
enum class log_type : std::int32_t {
    none = LAMBDA_LOG_TYPE_NONE,
    tail = LAMBDA_LOG_TYPE_TAIL,
};

/// Chooses which attempts are retried: LAMBDA_RETRY_* of the C header.
enum class retry : std::int32_t {
    /// Those after which the function certainly did not run.
    safe = LAMBDA_RETRY_SAFE,
    /// None.
    none = LAMBDA_RETRY_NONE,
    /// Also those after which the function may have run: for functions that may run twice.
    always = LAMBDA_RETRY_ALWAYS,
};

/// Chooses how much is logged: LAMBDA_LOG_LEVEL_* of the C header. Each level includes those before it.
enum class log_level : std::int32_t {
    off = LAMBDA_LOG_LEVEL_OFF,
    /// A call failed or will fail.
    error = LAMBDA_LOG_LEVEL_ERROR,
    /// Something unexpected was dealt with.
    warn = LAMBDA_LOG_LEVEL_WARN,
    /// Rare events.
    info = LAMBDA_LOG_LEVEL_INFO,
    /// Every attempt and its outcome.
    debug = LAMBDA_LOG_LEVEL_DEBUG,
    /// All details.
    trace = LAMBDA_LOG_LEVEL_TRACE,
};

/// Holds AWS credentials, as a credentials callback returns them.
struct credentials {
    std::string access_key_id{};
    std::string secret_access_key{};
    std::optional<std::string> session_token{};
    /// When they expire; std::nullopt if they do not.
    std::optional<std::chrono::system_clock::time_point> expires{};
};

/// Names a status as the C header does. Threads: any.
/// @return "LAMBDA_E_TIMEOUT", for example; "LAMBDA_STATUS_UNKNOWN" for a number that the library does not know.
/// Static.
[[nodiscard]] inline std::string_view status_name(status value) noexcept {
    return lambda_status_name(static_cast<lambda_status>(value));
}

namespace detail {

/// Names a number that has no enumerator, such as "status(-99)".
template <typename Enum>
[[nodiscard]] std::string unnamed(const char *type, Enum value) {
    return std::string(type) + '(' + std::to_string(static_cast<std::int32_t>(value)) + ')';
}

/// Holds for the types that a payload's bytes can have.
template <typename T>
inline constexpr bool is_byte = std::is_same_v<std::remove_cv_t<T>, std::byte> ||
                                (std::is_integral_v<T> && sizeof(T) == 1 && !std::is_same_v<std::remove_cv_t<T>, bool>);

/// Holds for containers of adjacent bytes, such as std::vector, std::array, std::span and arrays, that are not strings.
template <typename T, typename = void>
inline constexpr bool is_bytes = false;
template <typename T>
inline constexpr bool is_bytes<T,
    std::void_t<decltype(std::size(std::declval<const T &>())), decltype(*std::data(std::declval<const T &>()))>> =
    is_byte<std::remove_reference_t<decltype(*std::data(std::declval<const T &>()))>> &&
    !std::is_convertible_v<const T &, std::string_view>;

}  // namespace detail

/// Names a value by its enumerator.
/// @return "timeout", for example; "status(-99)" for a number that this header has no name for.
[[nodiscard]] inline std::string to_string(status value) {
    switch (value) {
    case status::ok: return "ok";
    case status::function_error: return "function_error";
    case status::invalid_argument: return "invalid_argument";
    case status::config: return "config";
    case status::credentials: return "credentials";
    case status::resolve: return "resolve";
    case status::connect: return "connect";
    case status::tls: return "tls";
    case status::io: return "io";
    case status::timeout: return "timeout";
    case status::cancelled: return "cancelled";
    case status::throttled: return "throttled";
    case status::service: return "service";
    case status::protocol: return "protocol";
    case status::too_large: return "too_large";
    case status::internal: return "internal";
    case status::no_memory: return "no_memory";
    }
    return detail::unnamed("status", value);
}

/// @copydoc to_string(status)
[[nodiscard]] inline std::string to_string(execution value) {
    switch (value) {
    case execution::unknown: return "unknown";
    case execution::none: return "none";
    case execution::ran: return "ran";
    case execution::queued: return "queued";
    }
    return detail::unnamed("execution", value);
}

/// @copydoc to_string(status)
[[nodiscard]] inline std::string to_string(invocation_type value) {
    switch (value) {
    case invocation_type::request_response: return "request_response";
    case invocation_type::event: return "event";
    case invocation_type::dry_run: return "dry_run";
    }
    return detail::unnamed("invocation_type", value);
}

/// @copydoc to_string(status)
[[nodiscard]] inline std::string to_string(log_type value) {
    switch (value) {
    case log_type::none: return "none";
    case log_type::tail: return "tail";
    }
    return detail::unnamed("log_type", value);
}

/// @copydoc to_string(status)
[[nodiscard]] inline std::string to_string(retry value) {
    switch (value) {
    case retry::safe: return "safe";
    case retry::none: return "none";
    case retry::always: return "always";
    }
    return detail::unnamed("retry", value);
}

/// @copydoc to_string(status)
[[nodiscard]] inline std::string to_string(log_level value) {
    switch (value) {
    case log_level::off: return "off";
    case log_level::error: return "error";
    case log_level::warn: return "warn";
    case log_level::info: return "info";
    case log_level::debug: return "debug";
    case log_level::trace: return "trace";
    }
    return detail::unnamed("log_level", value);
}

/// Writes a value's name, as to_string() returns it.
template <typename Traits, typename Enum, typename = std::enable_if_t<std::is_enum_v<Enum>>,
    typename = decltype(to_string(std::declval<Enum>()))>
std::basic_ostream<char, Traits> &operator<<(std::basic_ostream<char, Traits> &out, Enum value) {
    return out << to_string(value);
}

/// Returns the version of the library that the program runs with. Threads: any.
/// @return "0.1.0", for example. Static.
[[nodiscard]] inline std::string_view version() noexcept {
    return lambda_version();
}

/// Holds a copy of a string argument, or none (std::nullopt, a null pointer, an empty std::optional), which unsets.
/// Converts implicitly from everything that converts to std::string_view.
class text {
public:
    text(std::nullopt_t) noexcept {}

    text(const char *value) {
        if (value != nullptr) {
            take(value);
        }
    }

    template <typename T, typename = std::enable_if_t<std::is_convertible_v<const T &, std::string_view> &&
                                                      !std::is_convertible_v<const T &, const char *>>>
    text(const T &value) {
        take(value);
    }

    template <typename T, typename = std::enable_if_t<std::is_convertible_v<const T &, std::string_view>>>
    text(const std::optional<T> &value) {
        if (value) {
            take(*value);
        }
    }

    /// Returns the string as the C functions take it, valid while this object lives.
    /// @return nullptr for none.
    [[nodiscard]] const char *c_str() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return value_ ? value_->c_str() : nullptr;
    }

    /// Tells whether the string holds a NUL, which a C string cannot.
    [[nodiscard]] bool has_nul() const noexcept { return has_nul_; }

private:
    // C would end the string at a NUL and send something else than what was meant. The form C0 80 takes the NUL's
    // place: it is not valid UTF-8, so the library rejects the field for callers of the C functions too.
    void take(std::string_view value) {
        std::string &copy = value_.emplace();
        copy.reserve(value.size());
        for (const char character : value) {
            if (character == '\0') {
                copy += "\xC0\x80";
                has_nul_ = true;
            } else {
                copy += character;
            }
        }
    }

    std::optional<std::string> value_{};
    bool has_nul_ = false;
};

/// Views the bytes of a payload argument, which must live until the end of the call. Converts implicitly from strings
/// of all kinds, from containers of adjacent bytes (std::vector, std::array, std::span, arrays) and from lists such as
/// `{0x01, 0x02}`. A byte is std::byte or any integer of one byte.
class bytes {
public:
    template <typename T, typename = std::enable_if_t<std::is_convertible_v<const T &, std::string_view>>,
        typename = void>
    bytes(const T &string) : view_(string) {}

    template <typename T, typename = std::enable_if_t<detail::is_bytes<T>>>
    bytes(const T &container) noexcept : bytes(std::data(container), std::size(container)) {}

    template <typename T, typename = std::enable_if_t<detail::is_byte<T>>>
    bytes(std::initializer_list<T> list) noexcept : bytes(std::data(list), list.size()) {}

    bytes(std::initializer_list<std::uint8_t> list) noexcept : bytes(std::data(list), list.size()) {}

    bytes(const void *data, std::size_t size) noexcept : view_(static_cast<const char *>(data), size) {}

    /// Returns the bytes.
    [[nodiscard]] std::string_view view() const noexcept { return view_; }

private:
    std::string_view view_;
};

/// Holds a time argument, or none (std::nullopt, an empty std::optional), which stands for the default. Converts
/// implicitly from a std::chrono::duration of any unit, and from a std::optional of one.
class time_limit {
public:
    constexpr time_limit(std::nullopt_t) noexcept {}

    template <typename Rep, typename Period>
    constexpr time_limit(std::chrono::duration<Rep, Period> time) noexcept : milliseconds_(round_up(time)) {}

    template <typename Rep, typename Period>
    constexpr time_limit(const std::optional<std::chrono::duration<Rep, Period>> &time) noexcept
        : milliseconds_(time ? round_up(*time) : 0) {}

    /// Returns the time as the C functions take it.
    /// @return Milliseconds, at least 1; 0 for none.
    [[nodiscard]] constexpr std::uint64_t milliseconds() const noexcept { return milliseconds_; }

private:
    // At least 1, since 0 is the default: a time that is used up, or that is not a number, ends the call at once.
    template <typename Rep, typename Period>
    static constexpr std::uint64_t round_up(std::chrono::duration<Rep, Period> time) noexcept {
        using std::chrono::milliseconds;
        // Beyond this, exact conversions overflow. 2^62 ms are 146 million years.
        constexpr double most = 4611686018427387904.0;
        if (!(time > std::chrono::duration<Rep, Period>::zero())) {
            return 1;
        }
        if (std::chrono::duration<double, std::milli>(time).count() >= most) {
            return static_cast<std::uint64_t>(most);
        }
        const milliseconds::rep whole = std::chrono::ceil<milliseconds>(time).count();
        return whole < 1 ? 1 : static_cast<std::uint64_t>(whole);
    }

    std::uint64_t milliseconds_ = 0;
};

template <typename Signature>
class callback;

/// Holds a function object, also one that can only be moved, or none (nullptr, an empty std::function). Copies share
/// one function.
template <typename Result, typename... Arguments>
class callback<Result(Arguments...)> {
public:
    callback(std::nullptr_t = nullptr) noexcept {}

    template <typename Function,
        typename = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, callback> &&
                                    std::is_invocable_r_v<Result, std::decay_t<Function> &, Arguments...>>>
    callback(Function &&function) {
        using Stored = std::decay_t<Function>;
        Stored stored(std::forward<Function>(function));
        if (is_empty(stored)) {
            return;
        }
        function_ = std::make_shared<Stored>(std::move(stored));
        call_ = [](void *kept, Arguments... arguments) -> Result {
            return std::invoke(*static_cast<Stored *>(kept), std::forward<Arguments>(arguments)...);
        };
    }

    /// Tells whether there is a function.
    [[nodiscard]] explicit operator bool() const noexcept { return function_ != nullptr; }

    /// Calls the function, which must be there.
    Result operator()(Arguments... arguments) const {
        return call_(function_.get(), std::forward<Arguments>(arguments)...);
    }

private:
    template <typename Function, typename = void>
    struct can_be_empty : std::is_pointer<Function> {};
    template <typename Function>
    struct can_be_empty<Function, std::void_t<decltype(std::declval<const Function &>().operator bool())>>
        : std::true_type {};

    template <typename Function>
    static bool is_empty(const Function &function) noexcept {
        if constexpr (can_be_empty<Function>::value) {
            return !static_cast<bool>(function);
        } else {
            return false;
        }
    }

    std::shared_ptr<void> function_{};
    Result (*call_)(void *, Arguments...) = nullptr;
};

class config;
class client;

// For this header's own use.
namespace detail {

struct release {
    void operator()(lambda_config *config) const noexcept { lambda_config_free(config); }
    void operator()(lambda_client *client) const noexcept { lambda_client_free(client); }
    void operator()(lambda_request *request) const noexcept { lambda_request_free(request); }
    void operator()(lambda_result *result) const noexcept { lambda_result_free(result); }
    void operator()(lambda_error *error) const noexcept { lambda_error_free(error); }
    void operator()(lambda_queue *queue) const noexcept { lambda_queue_free(queue); }
    void operator()(char *string) const noexcept { lambda_string_free(string); }
};

template <typename T>
using handle = std::unique_ptr<T, release>;

/// Returns what a C function made that gives NULL only when there is no memory.
template <typename T>
[[nodiscard]] T *there(T *made) {
    if (made == nullptr) {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
        throw std::bad_alloc();
#else
        std::abort();
#endif
    }
    return made;
}

/// Returns the second in which credentials expire. C has no number for times before 1970; the nearest is the first
/// second, not 0, which means never.
[[nodiscard]] inline std::int64_t expiry(const std::optional<std::chrono::system_clock::time_point> &time) noexcept {
    if (!time) {
        return 0;
    }
    const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(time->time_since_epoch()).count();
    return seconds < 1 ? 1 : seconds;
}

[[nodiscard]] inline std::optional<std::string_view> view(const char *string) noexcept {
    if (string == nullptr) {
        return std::nullopt;
    }
    return std::string_view(string);
}

/// Remembers the fields of an object that were last set to a string with a NUL inside, until they are set well. The
/// library rejects these fields too, but cannot know why.
class nul_fields {
public:
    void note(const char *field, const text &value) {
        const std::string_view name(field);
        for (auto known = fields_.begin(); known != fields_.end(); ++known) {
            if (*known == name) {
                fields_.erase(known);
                break;
            }
        }
        if (value.has_nul()) {
            fields_.push_back(name);
        }
    }

    /// Says which field holds a NUL; std::nullopt if none does.
    [[nodiscard]] std::optional<std::string> message() const {
        if (fields_.empty()) {
            return std::nullopt;
        }
        return std::string(fields_.front()) + ": contains a NUL";
    }

private:
    std::vector<std::string_view> fields_{};
};

/// Polls a call's interrupt and keeps what that threw. Lives on the stack of the caller.
class interrupter {
public:
    explicit interrupter(const callback<bool()> &interrupt) noexcept : interrupt_(interrupt) {}

    static std::int32_t poll(void *user_data) noexcept {
        return static_cast<interrupter *>(user_data)->shall_end() ? 1 : 0;
    }

    [[nodiscard]] std::exception_ptr thrown() const noexcept { return thrown_; }

private:
    // noexcept: nothing may pass through the frames of C and Rust that lie below the callback.
    bool shall_end() noexcept {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
        try {
            return interrupt_();
        } catch (...) {
            thrown_ = std::current_exception();
            return true;
        }
#else
        return interrupt_();
#endif
    }

    const callback<bool()> &interrupt_;
    std::exception_ptr thrown_{};
};

/// Deletes a function on the heap, which the library has until it calls the release.
template <typename Function>
void release_function(void *user_data) noexcept {
    delete static_cast<Function *>(user_data);
}

using credentials_function = callback<credentials()>;
using log_function = callback<void(log_level, std::string_view, std::string_view)>;

inline lambda_status fill_in(const credentials_function &provide, lambda_credentials *out) {
    const credentials given = provide();
    const text id(given.access_key_id), secret(given.secret_access_key), token(given.session_token);
    nul_fields nuls;
    nuls.note("access_key_id", id);
    nuls.note("secret_access_key", secret);
    nuls.note("session_token", token);
    if (const std::optional<std::string> message = nuls.message()) {
        lambda_credentials_set_error(out, message->c_str());
        return LAMBDA_E_CREDENTIALS;
    }
    return lambda_credentials_set(out, id.c_str(), secret.c_str(), token.c_str(), expiry(given.expires));
}

// noexcept, both: nothing may pass through the frames of C and Rust that lie below a callback.
inline lambda_status provide_credentials(void *user_data, lambda_credentials *out) noexcept {
    const credentials_function &provide = *static_cast<const credentials_function *>(user_data);
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    try {
        return fill_in(provide, out);
    } catch (const std::exception &thrown) {
        lambda_credentials_set_error(out, thrown.what());
    } catch (...) {
        lambda_credentials_set_error(out, "it threw an object that is not a std::exception");
    }
    return LAMBDA_E_CREDENTIALS;
#else
    return fill_in(provide, out);
#endif
}

inline void pass_on_log(void *user_data, std::int32_t level, const char *target, const char *message) noexcept {
    const log_function &sink = *static_cast<const log_function *>(user_data);
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    try {
        sink(static_cast<log_level>(level), target, message);
    } catch (...) {
        // The call that is logged goes on.
    }
#else
    sink(static_cast<log_level>(level), target, message);
#endif
}

/// Stands for a result that was moved from.
[[nodiscard]] inline const lambda_result *moved_from_result() noexcept {
    static const lambda_result made = [] {
        static const std::uint8_t empty[1] = {0};
        lambda_result result = {};
        result.status = LAMBDA_E_INVALID_ARGUMENT;
        // What the object knew is in another one now.
        result.execution = LAMBDA_EXECUTION_UNKNOWN;
        result.payload = empty;
        result.error_message = "result: was moved from";
        return result;
    }();
    return &made;
}

}  // namespace detail

/// Tells how one call ended. Read-only. Can be moved and cloned, see clone(), but not copied. A std::string_view that
/// it returns is valid as long as the result lives: do not keep one of a result without a name, as in `auto view =
/// client.invoke(request).payload()`. A result that was moved from has status::invalid_argument and says so.
class result {
public:
    /// Copies a C result, which need not come from the library: fill a zeroed lambda_result to make any result that a
    /// test needs. Pointers in it are NULL or valid.
    [[nodiscard]] static result copy_of(const lambda_result &from) { return result(lambda_result_clone(&from)); }

    /// Makes a deep copy.
    [[nodiscard]] result clone() const { return result(lambda_result_clone(get()), thrown_); }

    /// Tells whether the status is ok: neither the call nor the function failed.
    [[nodiscard]] bool ok() const noexcept { return get()->status == LAMBDA_OK; }
    /// Returns ok().
    [[nodiscard]] explicit operator bool() const noexcept { return ok(); }

    /// Returns how the call ended.
    [[nodiscard]] lambda::status status() const noexcept { return static_cast<lambda::status>(get()->status); }

    /// Tells whether the function ran, however the call ended.
    [[nodiscard]] lambda::execution execution() const noexcept {
        return static_cast<lambda::execution>(get()->execution);
    }

    /// Returns the HTTP status of the last response.
    /// @return 0 if there was no response.
    [[nodiscard]] int http_status() const noexcept { return get()->http_status; }

    /// Returns how many attempts were begun, including those that found no connection.
    /// @return 0 if the call was rejected before the first attempt.
    [[nodiscard]] std::uint32_t attempts() const noexcept { return get()->attempts; }

    /// Returns how many attempts may have run the function without that being known; each is a possible extra run.
    [[nodiscard]] std::uint32_t unknown_attempts() const noexcept { return get()->unknown_attempts; }

    /// Returns the function's return value or error, byte for byte. A NUL follows its end.
    /// @return Empty unless the status is ok or function_error.
    [[nodiscard]] std::string_view payload() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return {reinterpret_cast<const char *>(get()->payload), get()->payload_len};
    }

    /// Returns the end of the function's log, decoded. May start in the middle of a line, hold NULs and not be UTF-8.
    /// @return std::nullopt if the response brought no log.
    [[nodiscard]] std::optional<std::string_view> log() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        if (get()->log == nullptr) {
            return std::nullopt;
        }
        return std::string_view(get()->log, get()->log_len);
    }

    /// Returns the function error as Lambda sent it: "Unhandled", "Handled", ...
    /// @return std::nullopt if the function did not fail.
    [[nodiscard]] std::optional<std::string_view> function_error() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->function_error);
    }

    /// Returns the function's errorType, or the service's error code without namespace and suffix.
    /// @return std::nullopt if there is none.
    [[nodiscard]] std::optional<std::string_view> error_type() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->error_type);
    }

    /// Returns what went wrong. Never a secret.
    /// @return std::nullopt only if the status is ok.
    [[nodiscard]] std::optional<std::string_view> error_message() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->error_message);
    }

    /// Returns the service's reason for throttling.
    /// @return std::nullopt if it gave none.
    [[nodiscard]] std::optional<std::string_view> throttle_reason() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->throttle_reason);
    }

    /// Returns how long the last response asks to wait.
    /// @return 0 if it did not ask.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept {
        // What a duration cannot hold becomes the longest one.
        constexpr auto most = static_cast<std::uint64_t>(std::chrono::milliseconds::max().count());
        const std::uint64_t wait = get()->retry_after_ms < most ? get()->retry_after_ms : most;
        return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(wait));
    }

    /// Returns the request id of the last response.
    /// @return std::nullopt if there was none.
    [[nodiscard]] std::optional<std::string_view> request_id() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->request_id);
    }

    /// Returns the function version that ran.
    /// @return std::nullopt if the response did not name it.
    [[nodiscard]] std::optional<std::string_view> executed_version() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->executed_version);
    }

    /// Returns the ARN of the durable execution.
    /// @return std::nullopt if the response had none.
    [[nodiscard]] std::optional<std::string_view> durable_execution_arn() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->durable_execution_arn);
    }

    /// Returns the response's content type.
    /// @return std::nullopt if it had none.
    [[nodiscard]] std::optional<std::string_view> content_type() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(get()->content_type);
    }

    /// Returns the time from the call's start to its end, including waits and retries.
    [[nodiscard]] std::chrono::microseconds duration() const noexcept {
        return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(get()->duration_us));
    }

    /// Returns the tag of queue::submit().
    /// @return 0 for a call without a queue.
    [[nodiscard]] std::uint64_t tag() const noexcept { return get()->tag; }

    /// Returns the exception of the request's interrupt that ended the call. For try_invoke(), whose status is then
    /// cancelled, or that of the response as far as it had come.
    /// @return Null if the interrupt threw nothing.
    [[nodiscard]] std::exception_ptr thrown() const noexcept { return thrown_; }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Throws unless the status is ok: the exception of the request's interrupt, else error or the class derived from
    /// it that fits the status, with this result. `try_invoke(request).check()` is invoke().
    const result &check() const &;
    /// @copydoc check()
    result check() &&;
#endif

    /// Returns the C result, for the functions of lambda_invoke.h. This object keeps ownership.
    [[nodiscard]] const lambda_result *get() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return result_ ? result_.get() : detail::moved_from_result();
    }

private:
    friend class client;
    friend class queue;
    friend class stream;

    explicit result(lambda_result *made, std::exception_ptr thrown = nullptr) noexcept
        : result_(made), thrown_(std::move(thrown)) {}

    detail::handle<lambda_result> result_;
    std::exception_ptr thrown_;
};

namespace detail {

/// Makes a result for a call that failed before it began.
[[nodiscard]] inline result failed(lambda_status status, const char *message) {
    lambda_result made = {};
    made.status = status;
    made.execution = LAMBDA_EXECUTION_NONE;
    made.error_message = message;
    return result::copy_of(made);
}

}  // namespace detail

/// Tells why a client, a queue or a dispatcher could not be made.
struct failure {
    lambda::status status = lambda::status::ok;
    /// What is wrong and what to do about it. Never a secret.
    std::string message{};
};

namespace detail {

/// Says why an object could not be made, to whoever asked.
inline std::nullopt_t refuse(failure because, failure *why) {
    if (why != nullptr) {
        *why = std::move(because);
    }
    return std::nullopt;
}

}  // namespace detail

/// Reports a call that failed, or an object that could not be made. what() is the status's name, the error's type if
/// there is one, and the message. Copies share one result.
class error : public std::runtime_error {
public:
    /// Takes the result of a call that failed. Public so that tests can make one, see result::copy_of.
    explicit error(lambda::result of) : std::runtime_error(describe(of)), result_(share(std::move(of))) {}

    // Moving copies, so that an exception that was moved from still has its result.
    error(const error &) noexcept = default;
    error &operator=(const error &) noexcept = default;
    ~error() override = default;

    /// Returns all that is known about the call. For an object that could not be made: status, message, execution none.
    [[nodiscard]] const lambda::result &result() const noexcept { return *result_; }

    /// Returns how the call ended.
    [[nodiscard]] lambda::status status() const noexcept { return result_->status(); }

    /// Tells whether the function ran.
    [[nodiscard]] lambda::execution execution() const noexcept { return result_->execution(); }

private:
    static std::string describe(const lambda::result &of) {
        std::string what(status_name(of.status()));
        for (const std::optional<std::string_view> &part : {of.error_type(), of.error_message()}) {
            if (part) {
                what.append(": ").append(*part);
            }
        }
        return what;
    }

    static std::shared_ptr<const lambda::result> share(lambda::result of) {
        return std::make_shared<const lambda::result>(std::move(of));
    }

    // Shared: an exception must be copied without throwing.
    std::shared_ptr<const lambda::result> result_;
};

/// Reports status::function_error: the function ran and failed; error_type() and error_message() are its own.
class function_error : public error {
public:
    using error::error;
};

/// Reports status::invalid_argument: a value that cannot be sent, or an object that was moved from. Nothing was sent.
class invalid_argument : public error {
public:
    using error::error;
};

/// Reports status::config: a setting is missing, settings contradict each other, or the library does not fit this
/// header.
class config_error : public error {
public:
    using error::error;
};

/// Reports status::credentials: no usable credentials.
class credentials_error : public error {
public:
    using error::error;
};

/// Reports status::resolve, connect and tls: there was no connection, so the function did not run.
class connect_error : public error {
public:
    using error::error;
};

/// Reports status::io: the connection broke after the request had begun. execution() tells what is known.
class io_error : public error {
public:
    using error::error;
};

/// Reports status::timeout: the call's deadline passed. execution() tells what is known.
class timeout_error : public error {
public:
    using error::error;
};

/// Reports status::cancelled: the interrupt, the stop token or the end of a dispatcher ended the call. execution() tells what is known.
class cancelled_error : public error {
public:
    using error::error;
};

/// Reports status::service: an error response; error_type() is its code, if it had one.
class service_error : public error {
public:
    using error::error;
};

/// Reports status::throttled: the request was throttled; throttle_reason() and retry_after() tell more.
class throttled_error : public service_error {
public:
    using service_error::service_error;
};

/// Reports status::protocol: the response does not fit this API.
class protocol_error : public error {
public:
    using error::error;
};

/// Reports status::too_large: the response is longer than config::max_response_bytes.
class too_large_error : public error {
public:
    using error::error;
};

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
namespace detail {

/// Throws the class that fits the status; error itself for a status without a class of its own.
[[noreturn]] inline void raise(result failed) {
    switch (failed.status()) {
    case status::function_error: throw function_error(std::move(failed));
    case status::invalid_argument: throw invalid_argument(std::move(failed));
    case status::config: throw config_error(std::move(failed));
    case status::credentials: throw credentials_error(std::move(failed));
    case status::resolve:
    case status::connect:
    case status::tls: throw connect_error(std::move(failed));
    case status::io: throw io_error(std::move(failed));
    case status::timeout: throw timeout_error(std::move(failed));
    case status::cancelled: throw cancelled_error(std::move(failed));
    case status::throttled: throw throttled_error(std::move(failed));
    case status::service: throw service_error(std::move(failed));
    case status::protocol: throw protocol_error(std::move(failed));
    case status::too_large: throw too_large_error(std::move(failed));
    case status::ok:
    case status::internal:
    case status::no_memory: break;
    }
    throw error(std::move(failed));
}

/// Throws the class that fits why an object could not be made.
[[noreturn]] inline void raise(const failure &why) {
    raise(failed(static_cast<lambda_status>(why.status), why.message.c_str()));
}

}  // namespace detail

inline const result &result::check() const & {
    if (thrown_) {
        std::rethrow_exception(thrown_);
    }
    if (!ok()) {
        detail::raise(clone());
    }
    return *this;
}

inline result result::check() && {
    if (thrown_) {
        std::rethrow_exception(thrown_);
    }
    if (!ok()) {
        detail::raise(std::move(*this));
    }
    return std::move(*this);
}
#endif

/// Holds the settings of a client. Settings that are not set in code come from the environment and the shared AWS files
/// when the client is made. Can be moved but not copied; a client copies what it needs. For setters and times, see the
/// top of this file.
class config {
public:
    /// Makes a config without settings. Reads nothing. Throws std::bad_alloc.
    config() : config_(detail::there(lambda_config_new())) {}

    /// Sets the AWS region, such as "us-east-1". A full ARN's own region takes precedence. None: AWS_REGION,
    /// AWS_DEFAULT_REGION, the profile's region.
    config &region(const text &name) & {
        nuls_.note("region", name);
        lambda_config_set_region(get(), name.c_str());
        return *this;
    }
    [[nodiscard]] config region(const text &name) && { return std::move(this->region(name)); }

    /// Sets the endpoint: http(s)://host[:port][/path]. None: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's
    /// services and endpoint_url, else AWS's own for the region.
    config &endpoint_url(const text &url) & {
        nuls_.note("endpoint_url", url);
        lambda_config_set_endpoint_url(get(), url.c_str());
        return *this;
    }
    [[nodiscard]] config endpoint_url(const text &url) && { return std::move(this->endpoint_url(url)); }

    /// Sets the credentials to sign with, which take precedence over a callback. All none: the callback, else as the
    /// AWS tools find them, loaded by the first call that needs them: environment, profile, web identity, container,
    /// instance metadata.
    config &credentials(
        const text &access_key_id, const text &secret_access_key, const text &session_token = std::nullopt) & {
        nuls_.note("access_key_id", access_key_id);
        nuls_.note("secret_access_key", secret_access_key);
        nuls_.note("session_token", session_token);
        lambda_config_set_credentials(get(), access_key_id.c_str(), secret_access_key.c_str(), session_token.c_str());
        return *this;
    }
    [[nodiscard]] config credentials(
        const text &access_key_id, const text &secret_access_key, const text &session_token = std::nullopt) && {
        return std::move(this->credentials(access_key_id, secret_access_key, session_token));
    }

    /// Sets a callback that provides credentials. It is called when there are none yet and shortly before they expire,
    /// never twice at once for one client, on the thread inside the call. May block: then the deadline of the call that
    /// it serves is late, but not that of other calls. May use other clients. An empty function unsets. Throws
    /// std::bad_alloc.
    config &credentials_callback(callback<lambda::credentials()> provide) & {
        const lambda_credentials_fn function = provide ? &detail::provide_credentials : nullptr;
        auto kept = std::make_unique<detail::credentials_function>(std::move(provide));
        lambda_config_set_credentials_callback(
            get(), function, kept.release(), &detail::release_function<detail::credentials_function>);
        return *this;
    }
    [[nodiscard]] config credentials_callback(callback<lambda::credentials()> provide) && {
        return std::move(this->credentials_callback(std::move(provide)));
    }

    /// Sets a profile of the shared AWS files, which must exist. Its credentials then take precedence over the
    /// environment's. None: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".
    config &profile(const text &name) & {
        nuls_.note("profile", name);
        lambda_config_set_profile(get(), name.c_str());
        return *this;
    }
    [[nodiscard]] config profile(const text &name) && { return std::move(this->profile(name)); }

    /// Chooses endpoints with FIPS 140 cryptography. None: AWS_USE_FIPS_ENDPOINT, the profile's use_fips_endpoint, off.
    /// Not together with a custom endpoint.
    config &use_fips(std::optional<bool> on) & {
        lambda_config_set_use_fips(get(), on ? (*on ? 1 : 0) : -1);
        return *this;
    }
    [[nodiscard]] config use_fips(std::optional<bool> on) && { return std::move(this->use_fips(on)); }
    // A number is not a switch: -1 would mean on.
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
    config use_fips(T) = delete;

    /// Chooses endpoints that have IPv6 addresses too. None: AWS_USE_DUALSTACK_ENDPOINT, the profile's
    /// use_dualstack_endpoint, off. Not together with a custom endpoint.
    config &use_dual_stack(std::optional<bool> on) & {
        lambda_config_set_use_dual_stack(get(), on ? (*on ? 1 : 0) : -1);
        return *this;
    }
    [[nodiscard]] config use_dual_stack(std::optional<bool> on) && { return std::move(this->use_dual_stack(on)); }
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
    config use_dual_stack(T) = delete;

    /// Sets a PEM file that replaces the system's trust store. It is read when the client is made. None: AWS_CA_BUNDLE,
    /// the profile's ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's; where that is empty, Mozilla's roots.
    config &ca_bundle(const text &path) & {
        nuls_.note("ca_bundle", path);
        lambda_config_set_ca_bundle(get(), path.c_str());
        return *this;
    }
    [[nodiscard]] config ca_bundle(const text &path) && { return std::move(this->ca_bundle(path)); }

    /// Sets the proxy: an http, https or socks5 URL, with user:password@ if the proxy asks for one; "" for no proxy.
    /// None: HTTPS_PROXY or HTTP_PROXY, ALL_PROXY, with the exceptions of NO_PROXY; each in lower case first.
    config &proxy(const text &url) & {
        nuls_.note("proxy", url);
        lambda_config_set_proxy(get(), url.c_str());
        return *this;
    }
    [[nodiscard]] config proxy(const text &url) && { return std::move(this->proxy(url)); }

    /// Sets the application's name in User-Agent: 1 to 50 of A-Z, a-z, 0-9 and !#$%&'*+-.^_`|~. None:
    /// AWS_SDK_UA_APP_ID, the profile's sdk_ua_app_id.
    config &app_id(const text &id) & {
        nuls_.note("app_id", id);
        lambda_config_set_app_id(get(), id.c_str());
        return *this;
    }
    [[nodiscard]] config app_id(const text &id) && { return std::move(this->app_id(id)); }

    /// Sets the time for one connection: name, TCP, proxy and TLS together. It ends an attempt, not the call. None: 5
    /// s.
    config &connect_timeout(time_limit time) & {
        lambda_config_set_connect_timeout_ms(get(), time.milliseconds());
        return *this;
    }
    [[nodiscard]] config connect_timeout(time_limit time) && { return std::move(this->connect_timeout(time)); }

    /// Sets the time for a whole call, including waiting for a connection, credentials and retries. None: 910 s; 60 s
    /// for event and dry_run.
    config &timeout(time_limit time) & {
        lambda_config_set_timeout_ms(get(), time.milliseconds());
        return *this;
    }
    [[nodiscard]] config timeout(time_limit time) && { return std::move(this->timeout(time)); }

    /// Sets the greatest number of attempts, including the first. 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3.
    config &max_attempts(std::uint32_t attempts) & {
        lambda_config_set_max_attempts(get(), attempts);
        return *this;
    }
    [[nodiscard]] config max_attempts(std::uint32_t attempts) && { return std::move(this->max_attempts(attempts)); }

    /// Sets what is retried; retry::safe unless set. No environment variable and no file ever chooses retry::always.
    config &retry(lambda::retry mode) & {
        lambda_config_set_retry(get(), static_cast<std::int32_t>(mode));
        return *this;
    }
    [[nodiscard]] config retry(lambda::retry mode) && { return std::move(this->retry(mode)); }

    /// Sets how many calls of the client may be under way at once in this process. More calls wait, within their
    /// deadlines. 0: what half of RLIMIT_NOFILE allows.
    config &max_connections(std::uint32_t connections) & {
        lambda_config_set_max_connections(get(), connections);
        return *this;
    }
    [[nodiscard]] config max_connections(std::uint32_t connections) && {
        return std::move(this->max_connections(connections));
    }

    /// Sets the greatest length of a response's payload. 0: 64 MiB.
    config &max_response_bytes(std::uint64_t bytes) & {
        lambda_config_set_max_response_bytes(get(), bytes);
        return *this;
    }
    [[nodiscard]] config max_response_bytes(std::uint64_t bytes) && {
        return std::move(this->max_response_bytes(bytes));
    }

    /// Sets a callback that gets the log messages of this level and of those before it: the level, a target such as
    /// "lambda_invoke::call", and a message without secrets. It is called where the event happens, on several threads
    /// at once. The strings are valid during the call only. It must not use this header. log_level::off or an empty
    /// function unsets. LAMBDA_INVOKE_LOG=debug (or another level) prints the same to stderr. Throws std::bad_alloc.
    config &log(lambda::log_level max_level,
        callback<void(lambda::log_level level, std::string_view target, std::string_view message)> sink) & {
        const lambda_log_fn function = sink ? &detail::pass_on_log : nullptr;
        auto kept = std::make_unique<detail::log_function>(std::move(sink));
        lambda_config_set_log(get(), static_cast<std::int32_t>(max_level), function, kept.release(),
            &detail::release_function<detail::log_function>);
        return *this;
    }
    [[nodiscard]] config log(lambda::log_level max_level,
        callback<void(lambda::log_level level, std::string_view target, std::string_view message)> sink) && {
        return std::move(this->log(max_level, std::move(sink)));
    }

    /// Returns the C config, for the functions of lambda_invoke.h; NULL once it was moved from. This object keeps
    /// ownership.
    [[nodiscard]] lambda_config *get() noexcept LAMBDA_INVOKE_HPP_VIEW { return config_.get(); }
    /// @copydoc get()
    [[nodiscard]] const lambda_config *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return config_.get(); }

private:
    friend class client;

    detail::handle<lambda_config> config_;
    detail::nul_fields nuls_{};
};

/// Tells what to invoke. Reusable, and independent of clients. A copy shares the payload and the interrupt. For setters
/// and times, see the top of this file.
class request {
public:
    /// Makes a request whose function_name() must be set. Throws std::bad_alloc, as all constructors here.
    request() : request_(detail::there(lambda_request_new())) {}

    /// Makes a request for a function, see function_name().
    explicit request(const text &function_name) : request() { this->function_name(function_name); }

    request(const request &other)
        : request_(copy(other.get())), interrupt_(other.interrupt_), nuls_(other.nuls_),
          function_name_(other.function_name_), payload_(other.payload_) {}
    request(request &&other) noexcept = default;
    ~request() = default;

    request &operator=(const request &other) {
        if (this != &other) {
            *this = request(other);
        }
        return *this;
    }
    request &operator=(request &&other) noexcept = default;

    /// Sets the function: a name, partial ARN or ARN, each with optional :qualifier. A full ARN's region signs this
    /// call and, unless an endpoint is set, chooses its endpoint.
    request &function_name(const text &name) & {
        nuls_.note("function_name", name);
        lambda_request_set_function_name(get(), name.c_str());
        const char *const set = name.c_str();
        function_name_ = set != nullptr && !name.has_nul() ? set : "";
        return *this;
    }
    [[nodiscard]] request function_name(const text &name) && { return std::move(this->function_name(name)); }
    /// Returns the function's name as it was set here; empty if it was not set.
    [[nodiscard]] const std::string &function_name() const noexcept LAMBDA_INVOKE_HPP_VIEW { return function_name_; }

    /// Sets the version or alias, 1 to 128 characters. The function's name may hold the same qualifier, but no other.
    request &qualifier(const text &version_or_alias) & {
        nuls_.note("qualifier", version_or_alias);
        lambda_request_set_qualifier(get(), version_or_alias.c_str());
        return *this;
    }
    [[nodiscard]] request qualifier(const text &version_or_alias) && {
        return std::move(this->qualifier(version_or_alias));
    }

    /// Sets what Lambda does with the request; invocation_type::request_response unless set.
    request &invocation_type(lambda::invocation_type type) & {
        lambda_request_set_invocation_type(get(), static_cast<std::int32_t>(type));
        return *this;
    }
    [[nodiscard]] request invocation_type(lambda::invocation_type type) && {
        return std::move(this->invocation_type(type));
    }

    /// Sets whether the response brings the end of the log; log_type::none unless set. log_type::tail is valid only
    /// with invocation_type::request_response.
    request &log_type(lambda::log_type type) & {
        lambda_request_set_log_type(get(), static_cast<std::int32_t>(type));
        return *this;
    }
    [[nodiscard]] request log_type(lambda::log_type type) && { return std::move(this->log_type(type)); }

    /// Asks for the end of the log: log_type(log_type::tail).
    request &log_tail() & { return log_type(lambda::log_type::tail); }
    [[nodiscard]] request log_tail() && { return std::move(this->log_tail()); }

    /// Sets the client context: base64 of JSON, at most 3,583 bytes. The same field as client_context_json(): the last
    /// one set counts.
    request &client_context(const text &base64) & {
        nuls_.note("client_context", base64);
        lambda_request_set_client_context(get(), base64.c_str());
        return *this;
    }
    [[nodiscard]] request client_context(const text &base64) && { return std::move(this->client_context(base64)); }

    /// Sets the client context as JSON, which is validated and sent as base64.
    request &client_context_json(const text &json) & {
        nuls_.note("client_context", json);
        lambda_request_set_client_context_json(get(), json.c_str());
        return *this;
    }
    [[nodiscard]] request client_context_json(const text &json) && {
        return std::move(this->client_context_json(json));
    }

    /// Sets the event's bytes, which may hold NULs and are copied: a string, a container of bytes or a list such as
    /// `{0x01, 0x02}`. Lambda takes 6 MB, and 1 MB for an event.
    request &payload(const lambda::bytes &event) & {
        const std::string_view view = event.view();
        lambda_request_set_payload(get(), view.data(), view.size());
        payload_ = std::make_shared<const std::string>(view);
        return *this;
    }
    [[nodiscard]] request payload(const lambda::bytes &event) && { return std::move(this->payload(event)); }
    request &payload(std::nullptr_t) = delete;

    /// Sets the event's bytes. nullptr, 0 is no payload.
    request &payload(const void *data, std::size_t size) & {
        if (data == nullptr && size != 0) {
            // The C function rejects it with a message.
            lambda_request_set_payload(get(), data, size);
            payload_ = nullptr;
            return *this;
        }
        return payload(lambda::bytes(data, size));
    }
    [[nodiscard]] request payload(const void *data, std::size_t size) && {
        return std::move(this->payload(data, size));
    }
    /// Returns the payload as it was set here; empty if it was not set.
    [[nodiscard]] std::string_view payload() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return payload_ ? std::string_view(*payload_) : std::string_view();
    }

    /// Sets the tenant id: 1 to 256 characters of printable ASCII. Inner spaces are kept.
    request &tenant_id(const text &id) & {
        nuls_.note("tenant_id", id);
        lambda_request_set_tenant_id(get(), id.c_str());
        return *this;
    }
    [[nodiscard]] request tenant_id(const text &id) && { return std::move(this->tenant_id(id)); }

    /// Sets the durable execution's name: 1 to 64 characters of printable ASCII. Does not change what is retried.
    request &durable_execution_name(const text &name) & {
        nuls_.note("durable_execution_name", name);
        lambda_request_set_durable_execution_name(get(), name.c_str());
        return *this;
    }
    [[nodiscard]] request durable_execution_name(const text &name) && {
        return std::move(this->durable_execution_name(name));
    }

    /// Sets X-Amzn-Trace-Id. Inside a Lambda function pass _X_AMZN_TRACE_ID on, so that Lambda can stop endless loops.
    request &trace_header(const text &header) & {
        nuls_.note("trace_header", header);
        lambda_request_set_trace_header(get(), header.c_str());
        return *this;
    }
    [[nodiscard]] request trace_header(const text &header) && { return std::move(this->trace_header(header)); }

    /// Sets the time for the whole call. None: the client's.
    request &timeout(time_limit time) & {
        lambda_request_set_timeout_ms(get(), time.milliseconds());
        return *this;
    }
    [[nodiscard]] request timeout(time_limit time) && { return std::move(this->timeout(time)); }

    /// Sets what is retried for this request. None: the client's.
    request &retry(std::optional<lambda::retry> mode) & {
        lambda_request_set_retry(get(), mode ? static_cast<std::int32_t>(*mode) : -1);
        return *this;
    }
    [[nodiscard]] request retry(std::optional<lambda::retry> mode) && { return std::move(this->retry(mode)); }

    /// Sets a callback that a call polls before it begins and then at least every 100 ms while it waits, on the thread
    /// that called. true ends the call, as does an exception. An empty function unsets. Copies of the request share the
    /// function. While several threads invoke this request, it is called on all of them at once.
    request &interrupt(callback<bool()> shall_end) & {
        interrupt_ = std::move(shall_end);
        return *this;
    }
    [[nodiscard]] request interrupt(callback<bool()> shall_end) && {
        return std::move(this->interrupt(std::move(shall_end)));
    }

    /// Calls the interrupt, as a call with this request does.
    /// @return false if there is none.
    [[nodiscard]] bool interrupted() const { return interrupt_ && interrupt_(); }

    /// Returns the C request, for the functions of lambda_invoke.h; NULL once it was moved from. This object keeps
    /// ownership. It does not know the interrupt, which is kept here; what C functions set, this object does not know.
    [[nodiscard]] lambda_request *get() noexcept LAMBDA_INVOKE_HPP_VIEW { return request_.get(); }
    /// @copydoc get()
    [[nodiscard]] const lambda_request *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return request_.get(); }

private:
    friend class client;

    static lambda_request *copy(const lambda_request *from) {
        return from == nullptr ? nullptr : detail::there(lambda_request_clone(from));
    }

    detail::handle<lambda_request> request_;
    callback<bool()> interrupt_{};
    detail::nul_fields nuls_{};
    // For function_name() and payload(): C has no functions that would tell.
    std::string function_name_{};
    std::shared_ptr<const std::string> payload_{};
};

/// What stream::next() gives.
enum class received {
    /// The next bytes.
    chunk,
    /// None arrived in time.
    pending,
    /// The stream is over; stream::finish() tells more.
    end,
};

/// One response, read as it is made: a range of chunks. Made by client::invoke_stream().
///
/// ```cpp
/// lambda::stream stream = client.invoke_stream(request);
/// for (std::string_view chunk : stream) {
///     std::cout << chunk << std::flush;
/// }
/// ```
///
/// The loop throws where the end would be unless the response is a success, after all chunks that came before. Without
/// exceptions it ends, and finish() tells. Nothing is sent before the first chunk is asked for, with which the call and
/// its timeout begin. The reader sets the pace. Threads: one at a time reads, but not always the same one; cancel() may be
/// called from any thread while this object is not moved or destroyed. Destroying it closes the connection of a response
/// that was not read to its end.
class stream {
public:
    /// Visits the chunks once, as they arrive. A chunk lives until the next one is asked for.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const std::string_view *;
        using reference = const std::string_view &;

        iterator() = default;

        [[nodiscard]] reference operator*() const noexcept { return chunk_; }
        [[nodiscard]] pointer operator->() const noexcept { return &chunk_; }
        iterator &operator++() {
            if (stream_->next(chunk_) == received::end) {
                stream *const over = stream_;
                stream_ = nullptr;
                over->check();
            }
            return *this;
        }
        // Returns no iterator, as ranges allow: its chunk would be gone.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Weffc++"
#endif
        void operator++(int) { ++*this; }
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

        /// Tells whether both are at the end, or neither is.
        [[nodiscard]] friend bool operator==(const iterator &one, const iterator &other) noexcept {
            return (one.stream_ == nullptr) == (other.stream_ == nullptr);
        }
        [[nodiscard]] friend bool operator!=(const iterator &one, const iterator &other) noexcept {
            return !(one == other);
        }

    private:
        friend class stream;

        explicit iterator(stream *of) : stream_(of) { ++*this; }

        stream *stream_ = nullptr;
        std::string_view chunk_{};
    };

    /// Waits for the first chunk.
    [[nodiscard]] iterator begin() { return iterator(this); }
    [[nodiscard]] iterator end() const noexcept { return {}; }

    /// Waits for the next bytes, for `wait` at most or without a limit. `chunk` is empty unless there are some; it lives
    /// until the next call.
    [[nodiscard]] received next(
        std::string_view &chunk, std::optional<std::chrono::milliseconds> wait = std::nullopt) noexcept {
        chunk = {};
        if (state_ == nullptr || state_->handle == nullptr) {
            return received::end;
        }
        const std::uint8_t *data = nullptr;
        std::size_t size = 0;
        const std::int64_t limit = wait ? (wait->count() < 0 ? 0 : static_cast<std::int64_t>(wait->count())) : -1;
        switch (lambda_stream_next(state_->handle, limit, &data, &size)) {
        case LAMBDA_OK: chunk = {reinterpret_cast<const char *>(data), size}; return received::chunk;
        case LAMBDA_PENDING: return received::pending;
        default: return received::end;
        }
    }

    /// Makes the next() that waits, and all later ones, give the end; the result's status is cancelled.
    void cancel() const noexcept {
        if (state_ != nullptr) {
            const std::lock_guard<std::mutex> lock(state_->mutex);
            lambda_stream_cancel(state_->handle);
        }
    }

    /// Ends the stream wherever it is, and tells what became of the call: cancelled unless next() has given the end. The
    /// payload is empty. A second time, it returns a copy.
    [[nodiscard]] result finish() {
        if (state_ == nullptr) {
            return result(nullptr);
        }
        if (state_->handle != nullptr) {
            const std::lock_guard<std::mutex> lock(state_->mutex);
            lambda_stream *const handle = state_->handle;
            state_->handle = nullptr;
            state_->outcome.emplace(result(lambda_stream_finish(handle), state_->interrupter.thrown()));
        }
        return state_->outcome->clone();
    }

private:
    friend class client;

    struct state {
        explicit state(const callback<bool()> &shall_end) : interrupt(shall_end), interrupter(interrupt) {}
        state(const state &) = delete;
        state &operator=(const state &) = delete;
        ~state() {
            if (handle != nullptr) {
                lambda_result_free(lambda_stream_finish(handle));
            }
        }

        callback<bool()> interrupt;
        detail::interrupter interrupter;
        // So that none is cancelled while it is freed.
        std::mutex mutex{};
        lambda_stream *handle = nullptr;
        std::optional<result> outcome{};
    };

    /// Makes a stream of a call that was rejected before it began.
    explicit stream(result refused) : state_(std::make_unique<state>(callback<bool()>())) {
        state_->outcome.emplace(std::move(refused));
    }

    explicit stream(const callback<bool()> &interrupt) : state_(std::make_unique<state>(interrupt)) {}

    /// Throws unless the response was a success.
    void check() {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
        static_cast<void>(finish().check());
#endif
    }

    std::unique_ptr<state> state_;
};

/// Invokes functions: what a client does, as an interface. Code that takes a `const lambda::invoker &` can be tested
/// without Lambda, with a class that overrides one function, which looks at the request and makes up a result:
///
/// ```cpp
/// class fake_lambda : public lambda::invoker {
///     lambda::result do_invoke(const lambda::request &request) const override {
///         lambda_result made = {};
///         if (request.function_name() != "hello") {
///             made.status = LAMBDA_E_SERVICE;
///             made.execution = LAMBDA_EXECUTION_NONE;
///             made.error_message = "there is no such function";
///             return lambda::result::copy_of(made);
///         }
///         made.status = LAMBDA_OK;
///         made.execution = LAMBDA_EXECUTION_RAN;
///         made.payload = reinterpret_cast<const std::uint8_t *>(request.payload().data());
///         made.payload_len = request.payload().size();
///         return lambda::result::copy_of(made);
///     }
/// };
/// ```
class invoker {
public:
    virtual ~invoker() = default;

    /// Invokes and waits, as invoke(), but every failure is a result, and the exception of the request's interrupt is
    /// in its thrown(). A client throws nothing here. Threads: any, at once, with the same request too.
    [[nodiscard]] result try_invoke(const request &request) const { return do_invoke(request); }

    /// Invokes and waits, as try_invoke(), and ends the call soon after `stop` was requested, 100 ms at the latest.
    /// `stop` is a std::stop_token or any object with a stop_requested() that may be called on this thread meanwhile.
    /// Throws std::bad_alloc.
    template <typename StopToken,
        typename = decltype(static_cast<bool>(std::declval<const StopToken &>().stop_requested()))>
    [[nodiscard]] result try_invoke(const request &request, const StopToken &stop) const {
        lambda::request own(request);
        own.interrupt([&request, &stop] { return static_cast<bool>(stop.stop_requested()) || request.interrupted(); });
        return try_invoke(own);
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Invokes and waits: for the response, the deadline or the request's interrupt. Throws unless the status is ok,
    /// see result::check.
    [[nodiscard]] result invoke(const request &request) const { return try_invoke(request).check(); }

    /// Invokes and waits, as invoke(), and ends the call soon after `stop` was requested, see try_invoke().
    template <typename StopToken,
        typename = decltype(static_cast<bool>(std::declval<const StopToken &>().stop_requested()))>
    [[nodiscard]] result invoke(const request &request, const StopToken &stop) const {
        return try_invoke(request, stop).check();
    }
#endif

protected:
    invoker() = default;
    invoker(const invoker &) = default;
    invoker(invoker &&) = default;
    invoker &operator=(const invoker &) = default;
    invoker &operator=(invoker &&) = default;

private:
    /// Invokes and waits. Every failure is a result; what an implementation throws, its caller gets.
    virtual result do_invoke(const request &request) const = 0;
};

/// Holds settings, connections and the retry quota, shared by all calls made with it, from any thread. Can be moved but
/// not copied. Must outlive the calls made with it. Costs no thread, and no descriptor until the first call.
class client : public invoker {
public:
    /// Makes a client from settings, or from the environment and the shared AWS files alone, which are read here.
    /// Throws nothing but std::bad_alloc.
    /// @param why If not null, is written on failure.
    /// @return std::nullopt on failure.
    [[nodiscard]] static std::optional<client> try_make(failure *why = nullptr) { return make(nullptr, why); }
    /// @copydoc try_make(failure *)
    [[nodiscard]] static std::optional<client> try_make(const config &settings, failure *why = nullptr) {
        if (settings.get() == nullptr) {
            // To C it would mean: all from the environment.
            return detail::refuse({status::invalid_argument, "config: was moved from"}, why);
        }
        if (std::optional<std::string> message = settings.nuls_.message()) {
            return detail::refuse({status::invalid_argument, std::move(*message)}, why);
        }
        return make(settings.get(), why);
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Makes a client, as try_make(). Throws invalid_argument for a setting that was rejected, and config_error for an
    /// unusable value in the environment or a library that does not fit this header. A region or credentials that are
    /// missing are no failure here: each call reports them.
    client() {
        failure why;
        take(try_make(&why), why);
    }
    /// @copydoc client()
    explicit client(const config &settings) {
        failure why;
        take(try_make(settings, &why), why);
    }
#endif

    client(client &&) noexcept = default;
    client &operator=(client &&) noexcept = default;
    ~client() override = default;

    /// Describes the settings in force and where each came from: a JSON object with one member for each setting, an
    /// object with "value" and "source". Secrets are never shown. Throws std::bad_alloc, and invalid_argument for a
    /// client that was moved from.
    /// @return Without exceptions, empty for a client that was moved from.
    [[nodiscard]] std::string describe() const {
        if (client_ == nullptr) {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
            detail::raise(detail::failed(LAMBDA_E_INVALID_ARGUMENT, "client: was moved from"));
#else
            return {};
#endif
        }
        return detail::handle<char>(detail::there(lambda_client_describe(client_.get()))).get();
    }

    /// Closes the idle connections now. Connections in use stay open, and later calls open new ones. Does not block. Does
    /// nothing for a client that was moved from.
    void release_idle() const noexcept { lambda_client_release_idle(client_.get()); }

    /// Invokes a function whose response is read as it is made. Does not block. Every failure is the end of the stream.
    /// An event and a durable execution name are refused. Throws std::bad_alloc.
    [[nodiscard]] stream invoke_stream(const request &request) const {
        if (const std::optional<std::string> message = unusable(request)) {
            return stream(refused(request, *message));
        }
        stream made(request.interrupt_);
        const detail::handle<lambda_request> own(detail::there(lambda_request_clone(request.get())));
        if (made.state_->interrupt) {
            lambda_request_set_interrupt(own.get(), &detail::interrupter::poll, &made.state_->interrupter);
        }
        made.state_->handle = lambda_invoke_stream(client_.get(), own.get());
        return made;
    }

    /// Returns the C client, for the functions of lambda_invoke.h; NULL once it was moved from. This object keeps
    /// ownership.
    [[nodiscard]] lambda_client *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return client_.get(); }

private:
    result do_invoke(const request &request) const noexcept override {
        if (const std::optional<std::string> message = unusable(request)) {
            return refused(request, *message);
        }
        if (!request.interrupt_) {
            return result(lambda_invoke(client_.get(), request.get()));
        }
        // With a copy of the request, since other threads may use the same request with interrupts of their own.
        detail::interrupter interrupter(request.interrupt_);
        const detail::handle<lambda_request> own(lambda_request_clone(request.get()));
        if (own == nullptr) {
            return detail::failed(LAMBDA_E_NO_MEMORY, "there is no memory for a copy of the request");
        }
        lambda_request_set_interrupt(own.get(), &detail::interrupter::poll, &interrupter);
        lambda_result *const response = lambda_invoke(client_.get(), own.get());
        return result(response, interrupter.thrown());
    }

    friend class dispatcher;

    explicit client(lambda_client *made) noexcept : client_(made) {}

    static std::optional<client> make(const lambda_config *settings, failure *why) {
        const std::uint32_t number = lambda_version_number();
        if (number / 1000000 != LAMBDA_VERSION_MAJOR || number < LAMBDA_VERSION_NUMBER) {
            return detail::refuse(
                {status::config, "the library is version " + std::string(version()) + " (number " +
                                     std::to_string(number) + "), but this program was built for number " +
                                     std::to_string(LAMBDA_VERSION_NUMBER) + ": install a newer library"},
                why);
        }
        lambda_client *made = nullptr;
        lambda_error *failed = nullptr;
        const lambda_status status = lambda_client_new(settings, &made, &failed);
        const detail::handle<lambda_error> owner(failed);
        if (status != LAMBDA_OK) {
            return detail::refuse({static_cast<lambda::status>(status), lambda_error_message(failed)}, why);
        }
        return client(made);
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    void take(std::optional<client> made, const failure &why) {
        if (!made) {
            detail::raise(why);
        }
        *this = std::move(*made);
    }
#endif

    /// Says what is wrong with a call before the library sees it; std::nullopt: nothing.
    [[nodiscard]] std::optional<std::string> unusable(const request &request) const {
        if (client_ == nullptr) {
            return "client: was moved from";
        }
        if (request.get() == nullptr) {
            return "request: was moved from";
        }
        return request.nuls_.message();
    }

    /// Makes a result for a call that was rejected here. Like the library's messages it begins with what was called.
    static result refused(const request &request, const std::string &message) {
        const std::string &called = request.function_name();
        return detail::failed(LAMBDA_E_INVALID_ARGUMENT, (called.empty() ? message : called + ": " + message).c_str());
    }

    detail::handle<lambda_client> client_{};
};

/// Holds calls under way and their results, of any number of clients, for event loops: lambda_queue of the C header. See
/// dispatcher for futures. Can be moved but not copied; a queue that was moved from accepts no call and has none.
/// Destroying it cancels the calls that are left and drops their results. No thread may be inside next() then.
class queue {
public:
    /// Makes an empty queue. Throws nothing but std::bad_alloc.
    /// @param why If not null, is written on failure.
    /// @return std::nullopt on failure.
    [[nodiscard]] static std::optional<queue> try_make(failure *why = nullptr) {
        lambda_queue *made = nullptr;
        lambda_error *failed = nullptr;
        const lambda_status status = lambda_queue_new(&made, &failed);
        const detail::handle<lambda_error> owner(failed);
        if (status != LAMBDA_OK) {
            return detail::refuse({static_cast<lambda::status>(status), lambda_error_message(failed)}, why);
        }
        return queue(made);
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Makes an empty queue. Throws error.
    queue() {
        failure why;
        std::optional<queue> made = try_make(&why);
        if (!made) {
            detail::raise(why);
        }
        *this = std::move(*made);
    }

    /// Submits a call, as try_submit(). Throws error, or a class derived from it, if the call was not accepted.
    void submit(const client &client, const request &request, std::uint64_t tag) {
        const lambda::status status = try_submit(client, request, tag);
        if (status != lambda::status::ok) {
            detail::raise(detail::failed(static_cast<lambda_status>(status), not_accepted(client, request)));
        }
    }
#endif

    /// Submits a call and does not wait for it. The request may be changed or destroyed at once; its interrupt is not
    /// polled. The timeout of the call begins now.
    /// @param tag Any number; the result carries it, see result::tag().
    /// @return ok: next() will give exactly one result for it, also if the request cannot be sent. Anything else: none.
    [[nodiscard]] lambda::status try_submit(const client &client, const request &request, std::uint64_t tag) noexcept {
        return static_cast<lambda::status>(lambda_queue_submit(get(), client.get(), request.get(), tag));
    }

    /// Waits for the next result, in the order in which calls end, for `wait` at most or without a limit. Zero only looks.
    /// @return std::nullopt: none came in time, or wake() was called, or there is no memory for the result now.
    [[nodiscard]] std::optional<result> next(std::optional<std::chrono::milliseconds> wait = std::nullopt) noexcept {
        const std::int64_t limit = wait ? (wait->count() < 0 ? 0 : static_cast<std::int64_t>(wait->count())) : -1;
        lambda_result *const taken = lambda_queue_next(get(), limit);
        if (taken == nullptr) {
            return std::nullopt;
        }
        return result(taken);
    }

    /// Returns a descriptor for an event loop: readable while a result or a wake waits. Then take them with next(0ms) until
    /// there are none. Never read, write or close it. A forked child asks anew.
    [[nodiscard]] int fd() const noexcept { return lambda_queue_fd(get()); }

    /// Cancels every call under way with this tag. Their results still come.
    void cancel(std::uint64_t tag) noexcept { lambda_queue_cancel(get(), tag); }

    /// Makes one next() return std::nullopt: one that waits, or else the next one that finds no result.
    void wake() noexcept { lambda_queue_wake(get()); }

    /// Returns how many calls were accepted and not yet taken with next().
    [[nodiscard]] std::size_t in_flight() const noexcept { return lambda_queue_in_flight(get()); }

    /// Returns the C queue, for the functions of lambda_invoke.h; NULL once it was moved from. This object keeps ownership.
    [[nodiscard]] lambda_queue *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return queue_.get(); }

private:
    explicit queue(lambda_queue *made) noexcept : queue_(made) {}

    [[nodiscard]] const char *not_accepted(const client &client, const request &request) const noexcept {
        if (get() == nullptr) {
            return "queue: was moved from";
        }
        if (client.get() == nullptr) {
            return "client: was moved from";
        }
        return request.get() == nullptr ? "request: was moved from" : "queue: the call could not be accepted";
    }

    detail::handle<lambda_queue> queue_{};
};

namespace detail {

/// Takes the result of one call of a dispatcher.
class waiter {
public:
    waiter() = default;
    waiter(const waiter &) = delete;
    waiter &operator=(const waiter &) = delete;
    virtual ~waiter() = default;

    virtual void complete(result done) noexcept = 0;
    /// Watches for a wish to cancel the call, which was submitted.
    virtual void watch(lambda_queue *, std::uint64_t) {}
};

/// Returns the result, or throws what the call failed with.
[[nodiscard]] inline result checked(result done, [[maybe_unused]] bool throws) {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    if (throws) {
        return std::move(done).check();
    }
#endif
    return done;
}

class promise_waiter : public waiter {
public:
    explicit promise_waiter(bool throws) : throws_(throws) {}

    [[nodiscard]] std::future<result> future() { return promise_.get_future(); }

    void complete(result done) noexcept override {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
        try {
            promise_.set_value(checked(std::move(done), throws_));
        } catch (...) {
            promise_.set_exception(std::current_exception());
        }
#else
        promise_.set_value(checked(std::move(done), throws_));
#endif
    }

private:
    std::promise<result> promise_{};
    bool throws_;
};

#if defined(__cpp_lib_jthread)
class stoppable_waiter : public promise_waiter {
public:
    stoppable_waiter(bool throws, std::stop_token stop) : promise_waiter(throws), stop_(std::move(stop)) {}

    void watch(lambda_queue *queue, std::uint64_t tag) override { watch_.emplace(stop_, canceller{queue, tag}); }

private:
    struct canceller {
        lambda_queue *queue;
        std::uint64_t tag;
        void operator()() const noexcept { lambda_queue_cancel(queue, tag); }
    };

    std::stop_token stop_;
    std::optional<std::stop_callback<canceller>> watch_{};
};
#endif

}  // namespace detail

/// Invokes functions without waiting: owns a queue and one thread that takes its results, and gives futures. In C++20 also
/// awaitables.
///
/// ```cpp
/// lambda::dispatcher dispatcher;
/// std::future<lambda::result> one = dispatcher.invoke(client, lambda::request{"hello"}.payload("{}"));
/// std::future<lambda::result> other = dispatcher.invoke(client, lambda::request{"hello"}.payload("{}"));
/// std::cout << one.get().payload() << other.get().payload();
/// ```
///
/// A call takes its own copy of the request, whose interrupt is not polled, and its timeout begins at once. The client may
/// be destroyed before its calls end. What exceeds config::max_connections waits for its turn. Can be moved but not copied.
/// Destroying it, or moving to it, cancels the calls that are left, waits for their results, but not for the network, and
/// gives them to their futures: status::cancelled, and execution() tells whether the function may have run. A forked child
/// makes a dispatcher of its own: its parent's accepts no call there, and futures of the parent's calls never become ready.
class dispatcher {
public:
    /// Makes a dispatcher and starts its thread, with all signals blocked. Throws nothing but std::bad_alloc.
    /// @param why If not null, is written on failure.
    /// @return std::nullopt on failure.
    [[nodiscard]] static std::optional<dispatcher> try_make(failure *why = nullptr) {
        std::optional<queue> calls = queue::try_make(why);
        if (!calls) {
            return std::nullopt;
        }
        dispatcher made(std::make_shared<state>(std::move(*calls)));
        // The thread's own hold on the state. A forked child, which lacks the thread, never frees it.
        auto own = std::make_unique<std::shared_ptr<state>>(made.state_);
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        const int error = pthread_create(&made.state_->thread, nullptr, &dispatcher::run, own.get());
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        if (error != 0) {
            made.state_ = nullptr;
            return detail::refuse(
                {status::internal, "dispatcher: its thread could not be started: error " + std::to_string(error)}, why);
        }
        static_cast<void>(own.release());
        return made;
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Makes a dispatcher, as try_make(). Throws error.
    dispatcher() {
        failure why;
        std::optional<dispatcher> made = try_make(&why);
        if (!made) {
            detail::raise(why);
        }
        state_ = std::move(made->state_);
    }

    /// Invokes. The future's get() throws unless the status is ok, as client::invoke(). Throws std::bad_alloc.
    [[nodiscard]] std::future<result> invoke(const client &client, const request &request) {
        return promise(client, request, std::make_unique<detail::promise_waiter>(true));
    }
#endif

    dispatcher(dispatcher &&) noexcept = default;
    dispatcher &operator=(dispatcher &&other) noexcept {
        if (this != &other) {
            stop();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~dispatcher() { stop(); }

    /// Invokes. Every failure is a result, as with client::try_invoke(). Throws std::bad_alloc.
    [[nodiscard]] std::future<result> try_invoke(const client &client, const request &request) {
        return promise(client, request, std::make_unique<detail::promise_waiter>(false));
    }

#if defined(__cpp_lib_jthread)
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Invokes, as invoke(), and ends the call as soon as `stop` is requested.
    [[nodiscard]] std::future<result> invoke(const client &client, const request &request, std::stop_token stop) {
        return promise(client, request, std::make_unique<detail::stoppable_waiter>(true, std::move(stop)));
    }
#endif

    /// Invokes, as try_invoke(), and ends the call as soon as `stop` is requested.
    [[nodiscard]] std::future<result> try_invoke(const client &client, const request &request, std::stop_token stop) {
        return promise(client, request, std::make_unique<detail::stoppable_waiter>(false, std::move(stop)));
    }
#endif

#if defined(__cpp_lib_coroutine)
    /// Invokes when it is awaited, and gives the result. The coroutine goes on, on the dispatcher's thread, which takes no
    /// other result until the coroutine awaits again or returns. It must not be destroyed while it awaits.
    class [[nodiscard]] awaitable {
    public:
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> coroutine) {
            std::unique_ptr<detail::waiter> own = std::make_unique<resumer>(*this, coroutine);
            std::optional<result> refused = dispatcher_.submit(client_, request_, own);
            if (!refused) {
                // The coroutine, and this object with it, may be gone.
                return true;
            }
            result_ = std::move(refused);
            return false;
        }
        [[nodiscard]] result await_resume() { return detail::checked(std::move(*result_), throws_); }

    private:
        friend class dispatcher;

        class resumer : public detail::waiter {
        public:
            resumer(awaitable &of, std::coroutine_handle<> coroutine) : of_(of), coroutine_(coroutine) {}
            void complete(result done) noexcept override {
                of_.result_ = std::move(done);
                coroutine_.resume();
            }

        private:
            awaitable &of_;
            std::coroutine_handle<> coroutine_;
        };

        awaitable(dispatcher &by, const client &client, const request &request, bool throws)
            : dispatcher_(by), client_(client), request_(request), throws_(throws) {}

        dispatcher &dispatcher_;
        const client &client_;
        const request &request_;
        std::optional<result> result_{};
        bool throws_;
    };

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    /// Invokes, as in `co_await dispatcher.co_invoke(client, request)`, which throws as client::invoke().
    awaitable co_invoke(const client &client, const request &request) { return {*this, client, request, true}; }
#endif

    /// Invokes, as in `co_await dispatcher.co_try_invoke(client, request)`. Every failure is a result.
    awaitable co_try_invoke(const client &client, const request &request) { return {*this, client, request, false}; }
#endif

    /// Returns how many calls have not ended.
    [[nodiscard]] std::size_t in_flight() const noexcept {
        return state_ != nullptr && state_->is_here() ? state_->calls.in_flight() : 0;
    }

private:
    struct state {
        explicit state(queue made) : calls(std::move(made)) {}

        [[nodiscard]] bool is_here() const noexcept { return process == getpid(); }

        queue calls;
        const pid_t process = getpid();
        pthread_t thread{};
        std::atomic<bool> stopping{false};
        std::mutex mutex{};
        // By tag, so in the order of the submits.
        std::map<std::uint64_t, std::unique_ptr<detail::waiter>> waiters{};
        std::uint64_t last_tag = 0;
    };

    explicit dispatcher(std::shared_ptr<state> made) noexcept : state_(std::move(made)) {}

    std::future<result> promise(
        const client &client, const request &request, std::unique_ptr<detail::promise_waiter> made) {
        std::future<result> future = made->future();
        std::unique_ptr<detail::waiter> own = std::move(made);
        if (std::optional<result> refused = submit(client, request, own)) {
            own->complete(std::move(*refused));
        }
        return future;
    }

    /// Submits a call, and takes its waiter. Or leaves the waiter, and returns why the call was refused.
    std::optional<result> submit(
        const client &client, const request &request, std::unique_ptr<detail::waiter> &waiter) {
        if (const std::optional<std::string> message = client.unusable(request)) {
            return client.refused(request, *message);
        }
        // A copy: as soon as the call is submitted, its end may destroy this object.
        const std::shared_ptr<state> own = state_;
        if (own == nullptr) {
            return client.refused(request, "dispatcher: was moved from");
        }
        if (!own->is_here()) {
            return client.refused(request, "dispatcher: belongs to the parent process; make one after the fork");
        }
        std::uint64_t tag = 0;
        {
            const std::lock_guard<std::mutex> lock(own->mutex);
            if (own->stopping) {
                return detail::failed(LAMBDA_E_CANCELLED, "dispatcher: is being destroyed");
            }
            tag = ++own->last_tag;
            own->waiters.emplace(tag, std::move(waiter));
        }
        const lambda::status status = own->calls.try_submit(client, request, tag);
        if (status != lambda::status::ok) {
            waiter = own_waiter(*own, tag);
            return detail::failed(static_cast<lambda_status>(status), "dispatcher: the call could not be accepted");
        }
        const std::lock_guard<std::mutex> lock(own->mutex);
        const auto submitted = own->waiters.find(tag);
        if (submitted != own->waiters.end()) {
            submitted->second->watch(own->calls.get(), tag);
            if (own->stopping) {
                own->calls.cancel(tag);
            }
        }
        return std::nullopt;
    }

    static std::unique_ptr<detail::waiter> own_waiter(state &of, std::uint64_t tag) {
        const std::lock_guard<std::mutex> lock(of.mutex);
        const auto found = of.waiters.find(tag);
        std::unique_ptr<detail::waiter> own = std::move(found->second);
        of.waiters.erase(found);
        return own;
    }

    static void *run(void *own) {
        const std::unique_ptr<std::shared_ptr<state>> holder(static_cast<std::shared_ptr<state> *>(own));
        state &of = **holder;
        while (!of.stopping || of.calls.in_flight() > 0) {
            if (std::optional<result> done = of.calls.next()) {
                const std::uint64_t tag = done->tag();
                own_waiter(of, tag)->complete(std::move(*done));
            } else if (!of.stopping) {
                // No memory for the result. It stays in the queue.
                usleep(10000);
            }
        }
        return nullptr;
    }

    void stop() noexcept {
        if (state_ == nullptr || !state_->is_here()) {
            return;
        }
        {
            const std::lock_guard<std::mutex> lock(state_->mutex);
            state_->stopping = true;
            // The last one first: a call that waits for its turn must not begin where another one ends.
            for (auto waiting = state_->waiters.rbegin(); waiting != state_->waiters.rend(); ++waiting) {
                state_->calls.cancel(waiting->first);
            }
        }
        state_->calls.wake();
        // A coroutine may destroy its dispatcher on the dispatcher's own thread, which then frees the state.
        if (pthread_equal(state_->thread, pthread_self()) != 0) {
            pthread_detach(state_->thread);
        } else {
            pthread_join(state_->thread, nullptr);
        }
        state_ = nullptr;
    }

    std::shared_ptr<state> state_{};
};

#if !defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
}  // namespace without_exceptions
#endif

}  // namespace lambda

#undef LAMBDA_INVOKE_HPP_EXCEPTIONS
#undef LAMBDA_INVOKE_HPP_VIEW

#endif
