// Streamed responses as a range, in steps, and ended early.

#include <lambda_invoke.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "check.hpp"

namespace {

using namespace std::chrono_literals;

lambda::request request_of(const char *function, const char *event) {
    return lambda::request(function).payload(event);
}

std::string read(lambda::stream stream) {
    std::string read;
    for (const std::string_view chunk : stream) {
        read += chunk;
    }
    return read;
}

void a_range(const lambda::client &client) {
    CHECK(read(client.invoke_stream(request_of("counting", "3"))) == "0\n1\n2\n");
    lambda::stream stream = client.invoke_stream(request_of("counting", "2"));
    std::string text;
    for (auto chunk = stream.begin(); chunk != stream.end(); ++chunk) {
        text.append(chunk->data(), chunk->size());
    }
    CHECK(text == "0\n1\n");
    CHECK(stream.finish().check().executed_version() == "$LATEST");
    CHECK(stream.finish().ok());
    CHECK(stream.begin() == stream.end());
}

template <typename Error>
void throws(const lambda::client &client, const lambda::request &request, std::string_view before) {
    lambda::stream stream = client.invoke_stream(request);
    std::string read;
    try {
        for (const std::string_view chunk : stream) {
            read += chunk;
        }
        CHECK(false);
    } catch (const Error &error) {
        CHECK(error.result().payload().empty());
    }
    CHECK(read == before);
}

void failures(const lambda::client &client) {
    throws<lambda::io_error>(client, request_of("streamed", "chunk one"), "one");
    throws<lambda::protocol_error>(client, request_of("streamed", "chunk one\nflip 90\nchunk two\ncomplete"), "one");
    throws<lambda::function_error>(client, request_of("streamed", "chunk one\ncomplete {\"ErrorCode\":\"E\"}"), "one");
    throws<lambda::invalid_argument>(
        client, request_of("counting", "1").invocation_type(lambda::invocation_type::event), "");
    throws<lambda::invalid_argument>(client, request_of("counting", "1").tenant_id(std::string("a\0b", 3)), "");
}

void early_ends(const lambda::client &client) {
    const char *stalls = "chunk one\nstall";
    std::string_view chunk;
    lambda::stream stream = client.invoke_stream(request_of("streamed", stalls));
    CHECK(stream.next(chunk) == lambda::received::chunk && chunk == "one");
    CHECK(stream.next(chunk, 0ms) == lambda::received::pending && chunk.empty());
    CHECK(stream.next(chunk, 10ms) == lambda::received::pending);
    lambda::stream moved = std::move(stream);
    std::thread canceller([&moved] { moved.cancel(); });
    CHECK(moved.next(chunk) == lambda::received::end);
    canceller.join();
    CHECK(moved.finish().status() == lambda::status::cancelled);
    CHECK(moved.finish().execution() == lambda::execution::ran);
    // NOLINTNEXTLINE(bugprone-use-after-move)
    CHECK(stream.next(chunk) == lambda::received::end && !stream.finish().ok());

    stream = client.invoke_stream(request_of("streamed", stalls));
    CHECK(stream.next(chunk) == lambda::received::chunk);
    // Closes the connection of the one before it.
    stream = client.invoke_stream(
        request_of("streamed", stalls).interrupt([]() -> bool { throw std::domain_error("mine"); }));
    CHECK(stream.next(chunk) == lambda::received::end);
    try {
        static_cast<void>(stream.finish().check());
        CHECK(false);
    } catch (const std::domain_error &) {}
}

}  // namespace

int main() {
    const lambda::client client;
    a_range(client);
    failures(client);
    early_ends(client);
    return check::done();
}
