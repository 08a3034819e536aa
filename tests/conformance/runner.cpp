// The runner for C++; README.md has the protocol. Every field goes through its own method of lambda_invoke.hpp, and every
// other call through the variant that throws, so that both see all cases.

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <lambda_invoke.hpp>

namespace {

std::string decode(const std::string &hex) {
    if (hex.size() % 2 != 0) {
        throw std::invalid_argument("no hexadecimal: " + hex);
    }
    std::string bytes;
    bytes.reserve(hex.size() / 2);
    const auto digit = [&hex](char c) {
        const std::size_t value = std::string_view("0123456789abcdef").find(c);
        if (value == std::string_view::npos) {
            throw std::invalid_argument("no hexadecimal: " + hex);
        }
        return value;
    };
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
    }
    return bytes;
}

std::string encode(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

template <typename T>
using words = std::map<std::string, T>;

const words<lambda::invocation_type> invocation_types = {
    {"RequestResponse", lambda::invocation_type::request_response},
    {"Event", lambda::invocation_type::event},
    {"DryRun", lambda::invocation_type::dry_run},
};

const words<lambda::log_type> log_types = {
    {"None", lambda::log_type::none},
    {"Tail", lambda::log_type::tail},
};

const words<lambda::retry> retries = {
    {"safe", lambda::retry::safe},
    {"none", lambda::retry::none},
    {"always", lambda::retry::always},
};

std::string_view execution_name(lambda::execution execution) {
    switch (execution) {
    case lambda::execution::unknown: return "UNKNOWN";
    case lambda::execution::none: return "NONE";
    case lambda::execution::ran: return "RAN";
    case lambda::execution::queued: return "QUEUED";
    }
    return "not one of the header's";
}

std::chrono::milliseconds milliseconds(const std::string &value) {
    return std::chrono::milliseconds(std::stoll(value));
}

// What was set since the last call. Keys come one by one, but are set together.
struct call {
    lambda::config config;
    lambda::request request;
    std::optional<std::string> access_key_id, secret_access_key, session_token;
};

using setter = std::function<void(call &, const std::string &)>;

const std::map<std::string, setter> setters = {
    {"config.region", [](call &c, const std::string &v) { c.config.region(v); }},
    {"config.endpoint_url", [](call &c, const std::string &v) { c.config.endpoint_url(v); }},
    {"config.profile", [](call &c, const std::string &v) { c.config.profile(v); }},
    {"config.use_fips", [](call &c, const std::string &v) { c.config.use_fips(v == "1"); }},
    {"config.use_dual_stack", [](call &c, const std::string &v) { c.config.use_dual_stack(v == "1"); }},
    {"config.ca_bundle", [](call &c, const std::string &v) { c.config.ca_bundle(v); }},
    {"config.proxy", [](call &c, const std::string &v) { c.config.proxy(v); }},
    {"config.app_id", [](call &c, const std::string &v) { c.config.app_id(v); }},
    {"config.access_key_id", [](call &c, const std::string &v) { c.access_key_id = v; }},
    {"config.secret_access_key", [](call &c, const std::string &v) { c.secret_access_key = v; }},
    {"config.session_token", [](call &c, const std::string &v) { c.session_token = v; }},
    {"config.timeout_ms", [](call &c, const std::string &v) { c.config.timeout(milliseconds(v)); }},
    {"config.connect_timeout_ms", [](call &c, const std::string &v) { c.config.connect_timeout(milliseconds(v)); }},
    {"config.max_attempts",
        [](call &c, const std::string &v) { c.config.max_attempts(static_cast<std::uint32_t>(std::stoul(v))); }},
    {"config.retry", [](call &c, const std::string &v) { c.config.retry(retries.at(v)); }},
    {"config.max_connections",
        [](call &c, const std::string &v) { c.config.max_connections(static_cast<std::uint32_t>(std::stoul(v))); }},
    {"config.max_response_bytes", [](call &c, const std::string &v) { c.config.max_response_bytes(std::stoull(v)); }},
    {"function_name", [](call &c, const std::string &v) { c.request.function_name(v); }},
    {"qualifier", [](call &c, const std::string &v) { c.request.qualifier(v); }},
    {"invocation_type", [](call &c, const std::string &v) { c.request.invocation_type(invocation_types.at(v)); }},
    {"log_type", [](call &c, const std::string &v) { c.request.log_type(log_types.at(v)); }},
    {"client_context", [](call &c, const std::string &v) { c.request.client_context(v); }},
    {"client_context_json", [](call &c, const std::string &v) { c.request.client_context_json(v); }},
    {"payload", [](call &c, const std::string &v) { c.request.payload(v); }},
    {"tenant_id", [](call &c, const std::string &v) { c.request.tenant_id(v); }},
    {"durable_execution_name", [](call &c, const std::string &v) { c.request.durable_execution_name(v); }},
    {"trace_header", [](call &c, const std::string &v) { c.request.trace_header(v); }},
    {"timeout_ms", [](call &c, const std::string &v) { c.request.timeout(milliseconds(v)); }},
    {"retry", [](call &c, const std::string &v) { c.request.retry(retries.at(v)); }},
};

void put(std::string_view name, std::optional<std::string_view> value) {
    std::cout << name << ' ' << (value ? encode(*value) : "-") << '\n';
}

// The payload is apart from the result, since a stream hands it out before.
void put(const lambda::result &result, std::string_view payload) {
    std::cout << "status " << lambda::status_name(result.status()) << '\n'
              << "execution " << execution_name(result.execution()) << '\n'
              << "http_status " << result.http_status() << '\n'
              << "attempts " << result.attempts() << '\n'
              << "unknown_attempts " << result.unknown_attempts() << '\n'
              << "retry_after_ms " << result.retry_after().count() << '\n';
    put("payload", payload);
    put("log", result.log());
    put("function_error", result.function_error());
    put("error_type", result.error_type());
    put("error_message", result.error_message());
    put("throttle_reason", result.throttle_reason());
    put("request_id", result.request_id());
    put("executed_version", result.executed_version());
    put("durable_execution_arn", result.durable_execution_arn());
    put("content_type", result.content_type());
}

void put(lambda::status status, lambda::execution execution, std::string_view message) {
    std::cout << "status " << lambda::status_name(status) << '\n' << "execution " << execution_name(execution) << '\n';
    put("error_message", message);
}

void invoke_or_throw(const lambda::client &client, const lambda::request &request) {
    try {
        const lambda::result result = client.invoke(request);
        put(result, result.payload());
    } catch (const lambda::error &error) {
        put(error.result(), error.result().payload());
    }
}

void try_invoke(const lambda::client &client, const lambda::request &request) {
    const lambda::result result = client.try_invoke(request);
    put(result, result.payload());
}

void stream_or_throw(const lambda::client &client, const lambda::request &request) {
    std::string read;
    lambda::stream stream = client.invoke_stream(request);
    try {
        for (const std::string_view chunk : stream) {
            read += chunk;
        }
        put(stream.finish(), read);
    } catch (const lambda::error &error) {
        put(error.result(), read);
    }
}

void try_stream(const lambda::client &client, const lambda::request &request) {
    std::string read;
    lambda::stream stream = client.invoke_stream(request);
    for (std::string_view chunk; stream.next(chunk) == lambda::received::chunk;) {
        read += chunk;
    }
    put(stream.finish(), read);
}

using operation = void (*)(const lambda::client &, const lambda::request &);

struct variants {
    operation or_throw, without_exceptions;
};

const words<variants> operations = {
    {"invoke", {invoke_or_throw, try_invoke}},
    {"stream", {stream_or_throw, try_stream}},
};

void call_or_throw(const call &c, operation perform) {
    std::optional<lambda::client> client;
    try {
        client.emplace(c.config);
    } catch (const lambda::error &error) {
        put(error.status(), error.execution(), error.result().error_message().value());
        return;
    }
    perform(*client, c.request);
}

void try_call(const call &c, operation perform) {
    lambda::failure why;
    if (const std::optional<lambda::client> client = lambda::client::try_make(c.config, &why)) {
        perform(*client, c.request);
    } else {
        put(why.status, lambda::execution::none, why.message);
    }
}

void answer(call &c, const variants &of, bool throwing) {
    if (c.access_key_id || c.secret_access_key || c.session_token) {
        c.config.credentials(c.access_key_id, c.secret_access_key, c.session_token);
    }
    throwing ? call_or_throw(c, of.or_throw) : try_call(c, of.without_exceptions);
    std::cout << '.' << std::endl;
}

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    std::optional<call> current(std::in_place);
    bool throwing = false;
    for (std::string line; std::getline(std::cin, line);) {
        if (const auto called = operations.find(line); called != operations.end()) {
            throwing = !throwing;
            answer(*current, called->second, throwing);
            current.emplace();
            continue;
        }
        const std::size_t space = line.find(' ');
        const auto found = setters.find(line.substr(0, space));
        if (space == std::string::npos || found == setters.end()) {
            std::cerr << "runner.cpp: no line of the protocol: " << line << '\n';
            return 2;
        }
        found->second(*current, decode(line.substr(space + 1)));
    }
    return std::cout ? 0 : 1;
}
