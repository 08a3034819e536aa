// One client and one request for many threads.

#include "check.hpp"

#include <thread>
#include <vector>

int main() {
    const lambda::client client;
    const lambda::request shared = lambda::request("echo").payload("shared");
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&client, &shared, i] {
            lambda::request own = shared;
            for (int round = check::rounds(100, 3); round > 0; --round) {
                CHECK_SAME(client.invoke(shared).payload(), "shared");
                const std::string payload = std::to_string(i) + " " + std::to_string(round);
                CHECK_SAME(client.invoke(own.payload(payload)).payload(), payload);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    return check::done();
}
