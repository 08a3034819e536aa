// Compiled with -fno-exceptions: only what does not throw is there.

#include <lambda_invoke.hpp>

#if defined(__cpp_exceptions)
#error "this file is there to be compiled with -fno-exceptions"
#endif

bool without_exceptions(const char *function);

bool without_exceptions(const char *function) {
    int logged = 0;
    lambda::config config;
    config
        .credentials_callback([]() -> lambda::credentials {
            return {std::getenv("AWS_ACCESS_KEY_ID"), std::getenv("AWS_SECRET_ACCESS_KEY")};
        })
        .log(lambda::log_level::trace, [&logged](lambda::log_level, std::string_view, std::string_view) { ++logged; });
    lambda::failure why;
    const std::optional<lambda::client> client = lambda::client::try_make(config, &why);
    if (!client || client->describe().find("callback") == std::string::npos) {
        return false;
    }
    int asked = 0;
    lambda::request request(function);
    request.payload("1").interrupt([&asked] {
        ++asked;
        return false;
    });
    const lambda::result result = client->try_invoke(request);
    if (!result.ok() || result.payload() != "1" || asked == 0 || logged == 0) {
        return false;
    }
    std::optional<lambda::queue> queue = lambda::queue::try_make(&why);
    if (!queue || queue->try_submit(*client, request, 5) != lambda::status::ok) {
        return false;
    }
    const std::optional<lambda::result> queued = queue->next();
    std::optional<lambda::dispatcher> dispatcher = lambda::dispatcher::try_make(&why);
    return queued && queued->ok() && queued->tag() == 5 && dispatcher &&
           dispatcher->try_invoke(*client, request).get().payload() == "1";
}
