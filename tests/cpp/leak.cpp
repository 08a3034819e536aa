// Forgets a handle, on purpose: valgrind must see it, or it would see nothing elsewhere either.

#include <lambda_invoke.hpp>

int main() {
    lambda::request request("echo");
    const lambda_request *leaked = lambda_request_clone(request.get());
    return leaked == nullptr ? 1 : 0;
}
