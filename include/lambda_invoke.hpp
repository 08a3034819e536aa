// liblambda_invoke for C++17 and later: header only, over the C ABI of lambda_invoke.h, whose conventions hold here.
//
// Handles    config, client, request and result free what they hold. A request can be copied, the others only moved. A
//            client or request that was moved from is refused where it is used, a config too; a result that was moved
//            from may only be destroyed or assigned to.
// Setters    Give the object back, to chain them. A value that cannot be sent is not reported by its setter: the object
//            remembers it, and making the client or the call fails with a message that names the field, until the field
//            is set well.
// Strings    In: `text`, any string or std::nullopt, which unsets; copied, so they need no NUL at their end. A NUL
//            inside is refused like anything else that is not to be sent, never cut at. Out: std::string_view, into the
//            object that gives it: valid while that object lives.
// Failures   invoke() throws error or a class derived from it; try_invoke() never throws for a failed call. Both know
//            whether the function ran: result::execution(). Without memory for a handle: std::bad_alloc.
// Threads    client: all from any thread at any time, but moving and destroying it. All others: one thread at a time,
//            many may read; so many threads may invoke one request at once.
// Callbacks  May throw. Of an interrupt: the call ends, and invoke() throws that very exception once the C function has
//            returned. Of a credentials callback: what() becomes part of the failed call's message. Of a log: nothing
//            comes of it. What config takes lives until the last object that could call it is gone.
// Compilers  Without exceptions (-fno-exceptions) there are only client::try_make and try_invoke, callbacks cannot
//            throw, and what would be std::bad_alloc ends the program. Such code may share a program with code that
//            has exceptions, but not objects of these classes.

#ifndef LAMBDA_INVOKE_HPP
#define LAMBDA_INVOKE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lambda_invoke.h"

static_assert(LAMBDA_VERSION_MAJOR == 0 && LAMBDA_VERSION_NUMBER >= 1000,
    "lambda_invoke.hpp needs the lambda_invoke.h that it came with: another one is found first on the include path");

// For the header's own use; undefined at its end.
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
// Names of their own: the linker must not take a function from here for its namesake that catches exceptions.
inline namespace without_exceptions {
#endif

// What became of a call: LAMBDA_* of the C header, where each is explained. ok is the only success. May hold a number
// that this header has no name for, from a newer library.
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

// Did it run? LAMBDA_EXECUTION_* of the C header.
enum class execution : std::int32_t {
    // Nobody knows: it may have run, may be running, may run yet.
    unknown = LAMBDA_EXECUTION_UNKNOWN,
    // Certainly not, and it will not.
    none = LAMBDA_EXECUTION_NONE,
    // It was started; whether it finished, and how, says the status.
    ran = LAMBDA_EXECUTION_RAN,
    // Lambda took the event and will run it.
    queued = LAMBDA_EXECUTION_QUEUED,
};

// LAMBDA_INVOCATION_*: wait for the answer, hand over an event, only check whether it could be invoked.
enum class invocation_type : std::int32_t {
    request_response = LAMBDA_INVOCATION_REQUEST_RESPONSE,
    event = LAMBDA_INVOCATION_EVENT,
    dry_run = LAMBDA_INVOCATION_DRY_RUN,
};

// LAMBDA_LOG_TYPE_*: whether the answer brings the end of the log.
enum class log_type : std::int32_t {
    none = LAMBDA_LOG_TYPE_NONE,
    tail = LAMBDA_LOG_TYPE_TAIL,
};

// LAMBDA_RETRY_*: what is tried again.
enum class retry : std::int32_t {
    // Only what certainly did not run.
    safe = LAMBDA_RETRY_SAFE,
    // Nothing.
    none = LAMBDA_RETRY_NONE,
    // Also what may have run: for functions that may run twice.
    always = LAMBDA_RETRY_ALWAYS,
};

// LAMBDA_LOG_LEVEL_*: how much is told; each level includes those before it.
enum class log_level : std::int32_t {
    off = LAMBDA_LOG_LEVEL_OFF,
    // A call failed, or will.
    error = LAMBDA_LOG_LEVEL_ERROR,
    // Something is not as it should be, and was dealt with.
    warn = LAMBDA_LOG_LEVEL_WARN,
    // What is rare and good to know.
    info = LAMBDA_LOG_LEVEL_INFO,
    // Every attempt and its outcome.
    debug = LAMBDA_LOG_LEVEL_DEBUG,
    // What else can be told.
    trace = LAMBDA_LOG_LEVEL_TRACE,
};

// Keys to sign with, as a credentials callback gives them.
struct credentials {
    std::string access_key_id{};
    std::string secret_access_key{};
    std::optional<std::string> session_token{};
    // None: they do not run out.
    std::optional<std::chrono::system_clock::time_point> expires{};
};

// "LAMBDA_E_TIMEOUT"; "LAMBDA_STATUS_UNKNOWN" for a number that the library does not know. Static. Threads: any.
[[nodiscard]] inline std::string_view status_name(status value) noexcept {
    return lambda_status_name(static_cast<lambda_status>(value));
}

// The version of the library that the program runs with, such as "0.1.0". Static. Threads: any.
[[nodiscard]] inline std::string_view version() noexcept {
    return lambda_version();
}

// A string as an argument, or none (std::nullopt, a null pointer, an empty std::optional), which unsets. Made
// implicitly from whatever converts to std::string_view; holds a copy.
class text {
public:
    text(std::nullopt_t) noexcept {}

    text(const char *value) {
        if (value != nullptr) {
            take(value);
        }
    }

    template <typename T,
        typename = std::enable_if_t<std::is_convertible_v<const T &, std::string_view> &&
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

    // As the C functions want it: NULL for none. Valid while this lives.
    [[nodiscard]] const char *c_str() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return value_ ? value_->c_str() : nullptr;
    }

private:
    // C would end the string at a NUL and send something else than what was meant. The form C0 80 carries it past C's
    // eyes; it is no UTF-8, so the library refuses the field, and remembers that as it does every refusal.
    void take(std::string_view value) {
        std::string &copy = value_.emplace();
        copy.reserve(value.size());
        for (const char character : value) {
            if (character == '\0') {
                copy += "\xC0\x80";
            } else {
                copy += character;
            }
        }
    }

    std::optional<std::string> value_;
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
    void operator()(char *string) const noexcept { lambda_string_free(string); }
};

template <typename T>
using handle = std::unique_ptr<T, release>;

// Of a C function that gives NULL only when there is no memory.
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

// To a negative duration, such as the rest of the time for something that is late already, C has no number; the nearest
// is the shortest there is, certainly not 0, which is the default.
[[nodiscard]] inline std::uint64_t milliseconds(std::chrono::milliseconds duration) noexcept {
    return duration.count() < 0 ? 1 : static_cast<std::uint64_t>(duration.count());
}

// The second in which keys expire. Before 1970 C has no number; the nearest is the first there is, certainly not 0, for
// that is never.
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

// What a call under way asks whether it shall end, and what came of asking. Lives on the stack of the caller.
template <typename Ask>
class interrupter {
public:
    explicit interrupter(Ask &ask) noexcept : ask_(ask) {}

    static std::int32_t callback(void *user_data) noexcept {
        return static_cast<interrupter *>(user_data)->shall_end() ? 1 : 0;
    }

    [[nodiscard]] std::exception_ptr thrown() const noexcept { return thrown_; }

private:
    // noexcept: nothing may pass through the frames of C and Rust that lie below the callback.
    bool shall_end() noexcept {
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
        try {
            return ask_();
        } catch (...) {
            thrown_ = std::current_exception();
            return true;
        }
#else
        return ask_();
#endif
    }

    Ask &ask_;
    std::exception_ptr thrown_;
};

// A function on the heap, which the library has until it calls the release.
template <typename Function>
void release_function(void *user_data) noexcept {
    delete static_cast<Function *>(user_data);
}

using credentials_function = std::function<credentials()>;
using log_function = std::function<void(log_level, std::string_view, std::string_view)>;

inline lambda_status fill_in(const credentials_function &ask, lambda_credentials *out) {
    const credentials keys = ask();
    const text id(keys.access_key_id), secret(keys.secret_access_key), token(keys.session_token);
    return lambda_credentials_set(out, id.c_str(), secret.c_str(), token.c_str(), expiry(keys.expires));
}

// noexcept, both: nothing may pass through the frames of C and Rust that lie below a callback.
inline lambda_status ask_for_credentials(void *user_data, lambda_credentials *out) noexcept {
    const credentials_function &ask = *static_cast<const credentials_function *>(user_data);
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    try {
        return fill_in(ask, out);
    } catch (const std::exception &thrown) {
        lambda_credentials_set_error(out, thrown.what());
    } catch (...) {
        lambda_credentials_set_error(out, "it threw what is no std::exception");
    }
    return LAMBDA_E_CREDENTIALS;
#else
    return fill_in(ask, out);
#endif
}

inline void pass_on_log(void *user_data, std::int32_t level, const char *target, const char *message) noexcept {
    const log_function &sink = *static_cast<const log_function *>(user_data);
#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    try {
        sink(static_cast<log_level>(level), target, message);
    } catch (...) {
        // Of no account to the call that it tells about.
    }
#else
    sink(static_cast<log_level>(level), target, message);
#endif
}

}  // namespace detail

// What became of one call. Read-only. Moved, not copied: see clone(). A std::string_view that it gives lives as long as
// the result: do not keep one of a result that has no name, as in `auto view = client.invoke(request).payload()`.
class result {
public:
    // A deep copy of `from`, which need not come from the library: fill a zeroed lambda_result, and a test of your own
    // has any result that it wants to see. Pointers in it are NULL or valid.
    [[nodiscard]] static result copy_of(const lambda_result &from) { return result(lambda_result_clone(&from)); }

    // A deep copy.
    [[nodiscard]] result clone() const { return result(lambda_result_clone(result_.get()), thrown_); }

    // Whether the status is ok: neither call nor function failed.
    [[nodiscard]] bool ok() const noexcept { return result_->status == LAMBDA_OK; }
    [[nodiscard]] explicit operator bool() const noexcept { return ok(); }

    [[nodiscard]] lambda::status status() const noexcept { return static_cast<lambda::status>(result_->status); }

    // Did it run? Known for every call, however it ended.
    [[nodiscard]] lambda::execution execution() const noexcept {
        return static_cast<lambda::execution>(result_->execution);
    }

    // Of the last answer; 0 if there was none.
    [[nodiscard]] int http_status() const noexcept { return result_->http_status; }

    // Tries begun, those that found no connection included; 0 if refused before the first.
    [[nodiscard]] std::uint32_t attempts() const noexcept { return result_->attempts; }

    // Attempts after which nobody knows whether they ran the function; each is a possible extra run.
    [[nodiscard]] std::uint32_t unknown_attempts() const noexcept { return result_->unknown_attempts; }

    // What the function returned or threw, byte for byte; empty unless the status is ok or function_error. A NUL stands
    // past its end.
    [[nodiscard]] std::string_view payload() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return {reinterpret_cast<const char *>(result_->payload), result_->payload_len};
    }

    // The decoded tail of the log: bytes, may start mid-line, hold NULs, be no UTF-8. None if none was sent.
    [[nodiscard]] std::optional<std::string_view> log() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        if (result_->log == nullptr) {
            return std::nullopt;
        }
        return std::string_view(result_->log, result_->log_len);
    }

    // As sent ("Unhandled", "Handled", ...); none if the function did not fail.
    [[nodiscard]] std::optional<std::string_view> function_error() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->function_error);
    }

    // The function's errorType, or the service's error code without namespace and suffix.
    [[nodiscard]] std::optional<std::string_view> error_type() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->error_type);
    }

    // What went wrong; none only if the status is ok. Never a secret.
    [[nodiscard]] std::optional<std::string_view> error_message() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->error_message);
    }

    // Why the service throttled, in its words.
    [[nodiscard]] std::optional<std::string_view> throttle_reason() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->throttle_reason);
    }

    // How long the last answer asks to wait; 0 if it did not say.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept {
        // No number of milliseconds that a duration cannot hold is worth telling apart from the greatest that it can.
        constexpr auto most = static_cast<std::uint64_t>(std::chrono::milliseconds::max().count());
        const std::uint64_t wait = result_->retry_after_ms < most ? result_->retry_after_ms : most;
        return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(wait));
    }

    // Of the last answer; none if there was none.
    [[nodiscard]] std::optional<std::string_view> request_id() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->request_id);
    }

    // The version that ran; none if the answer did not say.
    [[nodiscard]] std::optional<std::string_view> executed_version() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->executed_version);
    }

    // None if the answer had none.
    [[nodiscard]] std::optional<std::string_view> durable_execution_arn() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->durable_execution_arn);
    }

    // Of the answer; none if it had none.
    [[nodiscard]] std::optional<std::string_view> content_type() const noexcept LAMBDA_INVOKE_HPP_VIEW {
        return detail::view(result_->content_type);
    }

    // From the call to its end, waits and retries included.
    [[nodiscard]] std::chrono::microseconds duration() const noexcept {
        return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(result_->duration_us));
    }

    // What the request's interrupt threw and so ended the call; null if it threw nothing. For try_invoke(), whose
    // status is then cancelled, or what the answer said as far as it had come.
    [[nodiscard]] std::exception_ptr thrown() const noexcept { return thrown_; }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    // Throws what the request's interrupt threw; else, unless the status is ok, error or the class derived from it that
    // says what went wrong, with this result. `try_invoke(request).check()` is invoke().
    const result &check() const &;
    result check() &&;
#endif

    // For the functions of lambda_invoke.h. Still owned by this object.
    [[nodiscard]] const lambda_result *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return result_.get(); }

private:
    friend class client;

    explicit result(lambda_result *made, std::exception_ptr thrown = nullptr) noexcept
        : result_(made), thrown_(std::move(thrown)) {}

    detail::handle<lambda_result> result_;
    std::exception_ptr thrown_;
};

// Why a client could not be made.
struct failure {
    lambda::status status = lambda::status::ok;
    // What is wrong and what to do about it. Never a secret.
    std::string message;
};

// A call that failed, or a client that could not be made. what() is the status's name, the error's type if there is
// one, and the message. Copies share one result.
class error : public std::runtime_error {
public:
    // Takes the result of a call that failed; public so that tests can make one, see result::copy_of.
    explicit error(lambda::result of) : std::runtime_error(describe(of)), result_(share(std::move(of))) {}

    // All that is known about the call. Of a client that could not be made: status, message, execution none.
    [[nodiscard]] const lambda::result &result() const noexcept { return *result_; }

    [[nodiscard]] lambda::status status() const noexcept { return result_->status(); }

    // Did it run?
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

// status::function_error: the function ran and failed; error_type() and error_message() are its own.
class function_error : public error {
public:
    using error::error;
};

// status::invalid_argument: a value that cannot be sent. Nothing was sent.
class invalid_argument : public error {
public:
    using error::error;
};

// status::config: a setting is missing or settings contradict each other, or the library does not fit this header.
class config_error : public error {
public:
    using error::error;
};

// status::credentials: no usable credentials.
class credentials_error : public error {
public:
    using error::error;
};

// status::resolve, connect, tls: there was no connection, so the function did not run.
class connect_error : public error {
public:
    using error::error;
};

// status::io: the connection broke after the request had begun; execution() says what is known.
class io_error : public error {
public:
    using error::error;
};

// status::timeout: the call's deadline passed; execution() says what is known.
class timeout_error : public error {
public:
    using error::error;
};

// status::cancelled: the interrupt or the stop token ended the call; execution() says what is known.
class cancelled_error : public error {
public:
    using error::error;
};

// status::service: an error answer; error_type() is its code, if it had one.
class service_error : public error {
public:
    using error::error;
};

// status::throttled: turned away for its rate; throttle_reason() and retry_after() say more.
class throttled_error : public service_error {
public:
    using service_error::service_error;
};

// status::protocol: the answer makes no sense for this API.
class protocol_error : public error {
public:
    using error::error;
};

// status::too_large: the answer is longer than config::max_response_bytes.
class too_large_error : public error {
public:
    using error::error;
};

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
namespace detail {

// The class that says what went wrong; error itself for what has no class of its own.
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

// How to reach Lambda. What is not set comes from the environment and the shared AWS files when the client is made.
// Moved, not copied; a client copies what it holds. Setters: see the top of this file; every number's 0 is the default.
class config {
public:
    // Reads nothing. Throws std::bad_alloc.
    config() : config_(detail::there(lambda_config_new())) {}

    // Such as "us-east-1". A full ARN's own region goes before it. None: AWS_REGION, AWS_DEFAULT_REGION, the profile's
    // region.
    config &region(const text &region) noexcept {
        lambda_config_set_region(get(), region.c_str());
        return *this;
    }

    // http(s)://host[:port][/path]. None: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's services and
    // endpoint_url, else AWS's own for the region.
    config &endpoint_url(const text &url) noexcept {
        lambda_config_set_endpoint_url(get(), url.c_str());
        return *this;
    }

    // Keys to sign with; they go before a callback. All none: the callback, else as the AWS tools find them, loaded by
    // the first call that needs them: environment, profile, web identity, container, instance metadata.
    config &credentials(const text &access_key_id, const text &secret_access_key,
        const text &session_token = std::nullopt) noexcept {
        lambda_config_set_credentials(
            get(), access_key_id.c_str(), secret_access_key.c_str(), session_token.c_str());
        return *this;
    }

    // Asked for keys when there are none yet and shortly before they expire, never twice at once for one client, on the
    // thread inside the call. May block: the deadline of the call that it serves is then late, other calls' are not.
    // May use other clients. An empty function unsets. Throws std::bad_alloc.
    config &credentials_callback(std::function<lambda::credentials()> ask) {
        const lambda_credentials_fn callback = ask ? &detail::ask_for_credentials : nullptr;
        auto kept = std::make_unique<detail::credentials_function>(std::move(ask));
        lambda_config_set_credentials_callback(
            get(), callback, kept.release(), &detail::release_function<detail::credentials_function>);
        return *this;
    }

    // A profile of the shared AWS files, which must exist. Its credentials then go before the environment's. None:
    // AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".
    config &profile(const text &name) noexcept {
        lambda_config_set_profile(get(), name.c_str());
        return *this;
    }

    // Endpoints with FIPS 140 cryptography. None: AWS_USE_FIPS_ENDPOINT, the profile's use_fips_endpoint, off. Not
    // together with a custom endpoint.
    config &use_fips(std::optional<bool> on) noexcept {
        lambda_config_set_use_fips(get(), on ? (*on ? 1 : 0) : -1);
        return *this;
    }
    // A number is no switch: -1 would be on.
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
    config &use_fips(T) = delete;

    // Endpoints with IPv6 addresses too. None: AWS_USE_DUALSTACK_ENDPOINT, the profile's use_dualstack_endpoint, off.
    // Not together with a custom endpoint.
    config &use_dual_stack(std::optional<bool> on) noexcept {
        lambda_config_set_use_dual_stack(get(), on ? (*on ? 1 : 0) : -1);
        return *this;
    }
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
    config &use_dual_stack(T) = delete;

    // A PEM file that replaces the system's trust store, read when the client is made. None: AWS_CA_BUNDLE, the
    // profile's ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's; where that is empty, Mozilla's roots.
    config &ca_bundle(const text &path) noexcept {
        lambda_config_set_ca_bundle(get(), path.c_str());
        return *this;
    }

    // http, https or socks5 URL, with user:password@ if the proxy asks for one. "": no proxy. None: HTTPS_PROXY or
    // HTTP_PROXY, ALL_PROXY, with the exceptions of NO_PROXY; each in small letters first.
    config &proxy(const text &url) noexcept {
        lambda_config_set_proxy(get(), url.c_str());
        return *this;
    }

    // Names the application in User-Agent: 1 to 50 of A-Z, a-z, 0-9 and !#$%&'*+-.^_`|~. None: AWS_SDK_UA_APP_ID, the
    // profile's sdk_ua_app_id.
    config &app_id(const text &id) noexcept {
        lambda_config_set_app_id(get(), id.c_str());
        return *this;
    }

    // Name, TCP, proxy and TLS of one connection together; 5 s. Ends an attempt, not the call. Negative counts as 1 ms.
    config &connect_timeout(std::chrono::milliseconds time) noexcept {
        lambda_config_set_connect_timeout_ms(get(), detail::milliseconds(time));
        return *this;
    }

    // A whole call, waiting for a connection, credentials and retries included; 910 s, event and dry_run 60 s. Negative
    // counts as 1 ms.
    config &timeout(std::chrono::milliseconds time) noexcept {
        lambda_config_set_timeout_ms(get(), detail::milliseconds(time));
        return *this;
    }

    // The first try included. 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3.
    config &max_attempts(std::uint32_t attempts) noexcept {
        lambda_config_set_max_attempts(get(), attempts);
        return *this;
    }

    // retry::safe unless set. No environment variable and no file ever chooses retry::always.
    config &retry(lambda::retry mode) noexcept {
        lambda_config_set_retry(get(), static_cast<std::int32_t>(mode));
        return *this;
    }

    // Calls of the client under way at once in this process; what exceeds it waits its turn inside its own deadline.
    // Default: what half of RLIMIT_NOFILE allows.
    config &max_connections(std::uint32_t connections) noexcept {
        lambda_config_set_max_connections(get(), connections);
        return *this;
    }

    // Of one answer's payload; 64 MiB.
    config &max_response_bytes(std::uint64_t bytes) noexcept {
        lambda_config_set_max_response_bytes(get(), bytes);
        return *this;
    }

    // Gets this level and quieter, a target such as "lambda_invoke::call" and a message, never a secret: where it
    // happens, on several threads at once; the strings die on return. Must not use this header. log_level::off or an
    // empty function unsets. LAMBDA_INVOKE_LOG=debug (or another level) prints the same to stderr. Throws
    // std::bad_alloc.
    config &log(lambda::log_level max_level,
        std::function<void(lambda::log_level level, std::string_view target, std::string_view message)> sink) {
        const lambda_log_fn callback = sink ? &detail::pass_on_log : nullptr;
        auto kept = std::make_unique<detail::log_function>(std::move(sink));
        lambda_config_set_log(get(), static_cast<std::int32_t>(max_level), callback, kept.release(),
            &detail::release_function<detail::log_function>);
        return *this;
    }

    // For the functions of lambda_invoke.h; NULL once it was moved from. Still owned by this object.
    [[nodiscard]] lambda_config *get() noexcept LAMBDA_INVOKE_HPP_VIEW { return config_.get(); }
    [[nodiscard]] const lambda_config *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return config_.get(); }

private:
    detail::handle<lambda_config> config_;
};

// What to invoke. Reusable, and independent of clients. A copy shares the payload. Setters: see the top of this file.
class request {
public:
    // The function's name must then be set. Throws std::bad_alloc, as all constructors here.
    request() : request_(detail::there(lambda_request_new())) {}

    // See function_name().
    explicit request(const text &function_name) : request() { this->function_name(function_name); }

    request(const request &other) : request_(copy(other.get())), interrupt_(other.interrupt_) {}
    request(request &&other) noexcept = default;
    ~request() = default;

    request &operator=(const request &other) {
        if (this != &other) {
            *this = request(other);
        }
        return *this;
    }
    request &operator=(request &&other) noexcept = default;

    // Name, partial ARN or ARN, each with optional :qualifier. A full ARN's region signs this call and, unless an
    // endpoint is set, chooses its endpoint.
    request &function_name(const text &name) noexcept {
        lambda_request_set_function_name(get(), name.c_str());
        return *this;
    }

    // Version or alias, 1 to 128 characters. The function's name may hold the same qualifier, but no other.
    request &qualifier(const text &version_or_alias) noexcept {
        lambda_request_set_qualifier(get(), version_or_alias.c_str());
        return *this;
    }

    // request_response unless set.
    request &invocation_type(lambda::invocation_type type) noexcept {
        lambda_request_set_invocation_type(get(), static_cast<std::int32_t>(type));
        return *this;
    }

    // none unless set; tail only with request_response.
    request &log_type(lambda::log_type type) noexcept {
        lambda_request_set_log_type(get(), static_cast<std::int32_t>(type));
        return *this;
    }

    // The answer brings the end of the log: log_type(log_type::tail).
    request &log_tail() noexcept { return log_type(lambda::log_type::tail); }

    // Base64 of JSON, at most 3,583 bytes; the same field as client_context_json(): the last one set counts.
    request &client_context(const text &base64) noexcept {
        lambda_request_set_client_context(get(), base64.c_str());
        return *this;
    }

    // JSON, which is checked to be such and sent as base64.
    request &client_context_json(const text &json) noexcept {
        lambda_request_set_client_context_json(get(), json.c_str());
        return *this;
    }

    // The event's bytes, NULs included; copied. Lambda takes 6 MB, 1 MB for an event.
    request &payload(std::string_view bytes) noexcept { return payload(bytes.data(), bytes.size()); }
    request &payload(std::nullptr_t) = delete;

    // The same, for bytes that are no characters. nullptr, 0 is no payload.
    request &payload(const void *bytes, std::size_t size) noexcept {
        lambda_request_set_payload(get(), bytes, size);
        return *this;
    }

    // 1 to 256 characters of printable ASCII; inner spaces are kept.
    request &tenant_id(const text &id) noexcept {
        lambda_request_set_tenant_id(get(), id.c_str());
        return *this;
    }

    // 1 to 64 characters of printable ASCII. Does not change what is retried.
    request &durable_execution_name(const text &name) noexcept {
        lambda_request_set_durable_execution_name(get(), name.c_str());
        return *this;
    }

    // X-Amzn-Trace-Id. Inside a Lambda function pass _X_AMZN_TRACE_ID on, so that Lambda can stop endless loops.
    request &trace_header(const text &header) noexcept {
        lambda_request_set_trace_header(get(), header.c_str());
        return *this;
    }

    // The whole call; 0 is the client's. Negative counts as 1 ms.
    request &timeout(std::chrono::milliseconds time) noexcept {
        lambda_request_set_timeout_ms(get(), detail::milliseconds(time));
        return *this;
    }

    // For this request; none is the client's.
    request &retry(std::optional<lambda::retry> mode) noexcept {
        lambda_request_set_retry(get(), mode ? static_cast<std::int32_t>(*mode) : -1);
        return *this;
    }

    // Asked before a call begins and then at least every 100 ms while it waits, on the thread that called: true ends
    // the call, as does an exception. An empty function unsets. Copied along with the request. While several threads
    // invoke this request, it is called on all of them at once.
    request &interrupt(std::function<bool()> shall_end) noexcept {
        interrupt_ = std::move(shall_end);
        return *this;
    }

    // For the functions of lambda_invoke.h; NULL once it was moved from. Still owned by this object. Knows nothing of
    // interrupt(), which is kept here.
    [[nodiscard]] lambda_request *get() noexcept LAMBDA_INVOKE_HPP_VIEW { return request_.get(); }
    [[nodiscard]] const lambda_request *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return request_.get(); }

private:
    friend class client;

    static lambda_request *copy(const lambda_request *from) {
        return from == nullptr ? nullptr : detail::there(lambda_request_clone(from));
    }

    detail::handle<lambda_request> request_;
    std::function<bool()> interrupt_;
};

// Settings, connections and retry budget, shared by all who call with it, from any thread. Moved, not copied. Must
// outlive the calls made with it. Costs no thread, and no descriptor until the first call.
class client {
public:
    // From the settings, or from the environment and the shared AWS files alone, which are read here. `why`, if given,
    // is written on failure. No exception but std::bad_alloc.
    [[nodiscard]] static std::optional<client> try_make(failure *why = nullptr) { return make(nullptr, why); }
    [[nodiscard]] static std::optional<client> try_make(const config &settings, failure *why = nullptr) {
        if (settings.get() == nullptr) {
            // To C it would mean: all from the environment.
            return refuse({status::invalid_argument, "config: was moved from"}, why);
        }
        return make(settings.get(), why);
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    // The same. Throws invalid_argument for a setting that was refused, config_error for what is unusable in the
    // environment or for a library that does not fit this header. What is missing there, each call tells.
    client() {
        failure why;
        take(try_make(&why), why);
    }
    explicit client(const config &settings) {
        failure why;
        take(try_make(settings, &why), why);
    }

    // Invokes and waits: for the answer, the deadline or the request's interrupt. The result's status is ok; for
    // anything else it throws, see result::check. Threads: any, at once, with the same request too.
    [[nodiscard]] result invoke(const request &request) const { return try_invoke(request).check(); }

    // The same, and ends the call soon after `stop` says so; 100 ms at the latest.
    template <typename StopToken,
        typename = decltype(static_cast<bool>(std::declval<const StopToken &>().stop_requested()))>
    [[nodiscard]] result invoke(const request &request, const StopToken &stop) const {
        return try_invoke(request, stop).check();
    }
#endif

    // Invokes and waits, as invoke(); every failure is a result, and what the request's interrupt threw is in its
    // thrown(). Throws nothing.
    [[nodiscard]] result try_invoke(const request &request) const noexcept {
        if (!request.interrupt_) {
            return result(lambda_invoke(client_.get(), request.get()));
        }
        return call(request, request.interrupt_);
    }

    // The same, and ends the call soon after `stop` says so: a std::stop_token, or whatever has a stop_requested() that
    // may be asked on this thread meanwhile.
    template <typename StopToken,
        typename = decltype(static_cast<bool>(std::declval<const StopToken &>().stop_requested()))>
    [[nodiscard]] result try_invoke(const request &request, const StopToken &stop) const noexcept {
        const auto shall_end = [&request, &stop] {
            return static_cast<bool>(stop.stop_requested()) || (request.interrupt_ && request.interrupt_());
        };
        return call(request, shall_end);
    }

    // The settings in force and where each came from: a JSON object with one member a setting, each an object with
    // "value" and "source". Secrets are never shown. Empty once it was moved from. Throws std::bad_alloc.
    [[nodiscard]] std::string describe() const {
        if (client_ == nullptr) {
            return {};
        }
        return detail::handle<char>(detail::there(lambda_client_describe(client_.get()))).get();
    }

    // For the functions of lambda_invoke.h; NULL once it was moved from. Still owned by this object.
    [[nodiscard]] lambda_client *get() const noexcept LAMBDA_INVOKE_HPP_VIEW { return client_.get(); }

private:
    explicit client(lambda_client *made) noexcept : client_(made) {}

    static std::optional<client> make(const lambda_config *settings, failure *why) {
        const std::uint32_t number = lambda_version_number();
        if (number / 1000000 != LAMBDA_VERSION_MAJOR || number < LAMBDA_VERSION_NUMBER) {
            return refuse({status::config, "the library is version " + std::string(version()) + " (number " +
                                               std::to_string(number) + "), but this program was built for number " +
                                               std::to_string(LAMBDA_VERSION_NUMBER) + ": install a newer one"},
                why);
        }
        lambda_client *made = nullptr;
        lambda_error *failed = nullptr;
        const lambda_status status = lambda_client_new(settings, &made, &failed);
        const detail::handle<lambda_error> owner(failed);
        if (status != LAMBDA_OK) {
            return refuse({static_cast<lambda::status>(status), lambda_error_message(failed)}, why);
        }
        return client(made);
    }

    static std::optional<client> refuse(failure because, failure *why) {
        if (why != nullptr) {
            *why = std::move(because);
        }
        return std::nullopt;
    }

#if defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
    void take(std::optional<client> made, const failure &why) {
        if (!made) {
            detail::raise(failed(static_cast<lambda_status>(why.status), why.message.c_str()));
        }
        *this = std::move(*made);
    }
#endif

    // A result for what failed before there was a call.
    static result failed(lambda_status status, const char *message) {
        lambda_result made = {};
        made.status = status;
        made.execution = LAMBDA_EXECUTION_NONE;
        made.error_message = message;
        return result::copy_of(made);
    }

    // With a copy of the request, since other threads may use the same request with interrupts of their own.
    template <typename Ask>
    result call(const request &request, Ask &shall_end) const noexcept {
        detail::interrupter<Ask> interrupter(shall_end);
        const detail::handle<lambda_request> own(lambda_request_clone(request.get()));
        if (own == nullptr && request.get() != nullptr) {
            return failed(LAMBDA_E_NO_MEMORY, "there is no memory for a copy of the request");
        }
        lambda_request_set_interrupt(own.get(), &detail::interrupter<Ask>::callback, &interrupter);
        lambda_result *const answer = lambda_invoke(client_.get(), own.get());
        return result(answer, interrupter.thrown());
    }

    detail::handle<lambda_client> client_;
};

#if !defined(LAMBDA_INVOKE_HPP_EXCEPTIONS)
}  // namespace without_exceptions
#endif

}  // namespace lambda

#undef LAMBDA_INVOKE_HPP_EXCEPTIONS
#undef LAMBDA_INVOKE_HPP_VIEW

#endif
