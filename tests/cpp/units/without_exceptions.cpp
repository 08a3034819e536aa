// Compiled with -fno-exceptions: only what does not throw is there.

#include <lambda_invoke.hpp>

#if defined(__cpp_exceptions)
#error "this file is there to be compiled with -fno-exceptions"
#endif

bool without_exceptions(const char *function);

bool without_exceptions(const char *function) {
    lambda::failure why;
    const std::optional<lambda::client> client = lambda::client::try_make(&why);
    if (!client) {
        return false;
    }
    int asked = 0;
    lambda::request request(function);
    request.payload("1").interrupt([&asked] {
        ++asked;
        return false;
    });
    const lambda::result result = client->try_invoke(request);
    return result.ok() && result.payload() == "1" && asked > 0;
}
