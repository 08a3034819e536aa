#include <iostream>

#include "lambda_invoke.hpp"

int main() {
    try {
        lambda::client client;  // all settings from the environment
        lambda::request request{"hello"};
        request.payload(R"({"name": "Ada"})");
        std::cout << client.invoke(request).payload() << '\n';
    } catch (const lambda::error &error) {
        std::cerr << error.what() << '\n';  // error.execution(): did it run?
        return 1;
    }
}
