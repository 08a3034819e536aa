// Invokes a function for many people at once, and awaits the results as futures.

#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "lambda_invoke.hpp"

int main() {
    try {
        // Of any number of calls, so many are under way at once, and the others wait for their turn.
        const lambda::client client{lambda::config{}.max_connections(8)};
        // Ends the calls that are left when it goes, and gives every future its outcome.
        lambda::dispatcher dispatcher;

        std::vector<std::future<lambda::result>> greetings;
        for (const std::string name : {"Ada", "Grace", "Margaret"}) {
            const lambda::request request = lambda::request{"hello"}.payload("{\"name\": \"" + name + "\"}");
            greetings.push_back(dispatcher.invoke(client, request));
        }
        // Meanwhile this thread does what it likes. A failure is a result here, and would be thrown with invoke().
        std::future<lambda::result> missing = dispatcher.try_invoke(client, lambda::request{"missing"});

        for (std::future<lambda::result> &greeting : greetings) {
            // Throws if the call failed.
            std::cout << greeting.get().payload() << '\n';
        }
        const lambda::result result = missing.get();
        std::cout << "missing: " << result.status() << ", did it run? " << result.execution() << '\n';
    } catch (const lambda::error &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
