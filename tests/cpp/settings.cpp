// Settings as every AWS tool has them, and how a client shows them.

#include "check.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

namespace {

using std::string_view_literals::operator""sv;

// As the library writes a member of its JSON.
std::string member(const std::string &name, const std::string &value, const std::string &source) {
    // serde_json sorts the names.
    return '"' + name + R"(":{"source":")" + source + R"(","value":)" + value + '}';
}

// A config with nothing that would stand in the way of variants and proxies.
lambda::config bare() {
    lambda::config config;
    config.region("eu-central-1").credentials("AKID", "hunter2-secret", "hunter2-token");
    return config;
}

void without_endpoint() {
    unsetenv("AWS_ENDPOINT_URL_LAMBDA");
    unsetenv("AWS_ENDPOINT_URL");
}

void every_setting_is_shown() {
    lambda::config config = bare();
    config.use_fips(true)
        .use_dual_stack(true)
        .proxy("http://user:hunter2@proxy.example:3128")
        .app_id("orders.v2")
        .max_attempts(7)
        .log(lambda::log_level::warn, [](lambda::log_level, std::string_view, std::string_view) {});
    const std::string shown = lambda::client(config).describe();
    CHECK_HAS(shown, member("region", R"("eu-central-1")", "setter"));
    CHECK_HAS(shown, member("use_fips", "true", "setter"));
    CHECK_HAS(shown, member("use_dual_stack", "true", "setter"));
    CHECK_HAS(shown, "lambda-fips.eu-central-1.api.aws");
    CHECK_HAS(shown, member("app_id", R"("orders.v2")", "setter"));
    CHECK_HAS(shown, member("max_attempts", "7", "setter"));
    CHECK_HAS(shown, member("log", R"("warn")", "setter"));
    CHECK_HAS(shown, "app/orders.v2");
    CHECK_HAS(shown, "proxy.example:3128");
    CHECK_HAS(shown, "AKID");
    CHECK(shown.find("hunter2") == std::string::npos);
}

void off_and_unset() {
    setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
    setenv("AWS_SDK_UA_APP_ID", "environment", 1);
    setenv("HTTPS_PROXY", "http://from-environment:1", 1);
    lambda::config config = bare();
    std::string shown = lambda::client(config.use_fips(false).use_dual_stack(false).proxy("").app_id("set")).describe();
    CHECK_HAS(shown, member("use_fips", "false", "setter"));
    CHECK_HAS(shown, member("use_dual_stack", "false", "setter"));
    CHECK_HAS(shown, member("proxy", "null", "setter"));
    CHECK_HAS(shown, member("app_id", R"("set")", "setter"));
    config.use_fips(std::nullopt).use_dual_stack(std::nullopt).proxy(std::nullopt).app_id(std::nullopt);
    shown = lambda::client(config).describe();
    CHECK_HAS(shown, member("use_fips", "true", "environment variable AWS_USE_FIPS_ENDPOINT"));
    CHECK_HAS(shown, member("use_dual_stack", "true", "environment variable AWS_USE_DUALSTACK_ENDPOINT"));
    CHECK_HAS(shown, member("app_id", R"("environment")", "environment variable AWS_SDK_UA_APP_ID"));
    CHECK_HAS(shown, "from-environment:1");
    for (const char *name :
        {"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_SDK_UA_APP_ID", "HTTPS_PROXY"}) {
        unsetenv(name);
    }
    CHECK_HAS(lambda::client(config).describe(), member("use_fips", "false", "default"));
}

void profiles_and_files() {
    const std::string path = "/tmp/lambda_invoke_settings_" + std::to_string(getpid());
    std::ofstream(path) << "[profile orders]\nregion = ap-south-1\n"
                           "aws_access_key_id = AKPROFILE\naws_secret_access_key = hunter2\n";
    setenv("AWS_CONFIG_FILE", path.c_str(), 1);
    unsetenv("AWS_REGION");
    unsetenv("AWS_DEFAULT_REGION");
    const lambda::client client(lambda::config().profile("orders"));
    const std::string shown = client.describe();
    CHECK_HAS(shown, member("profile", R"("orders")", "setter"));
    CHECK_HAS(shown, member("region", R"("ap-south-1")", "profile orders in " + path + ", region"));
    CHECK(shown.find("hunter2") == std::string::npos);
    CHECK_THROWS(lambda::client{lambda::config().profile("nobody's")}, lambda::config_error,
        CHECK_HAS(caught.what(), "nobody's"));
    CHECK_THROWS(
        lambda::client{lambda::config().ca_bundle(path)}, lambda::config_error, CHECK_HAS(caught.what(), path));
    CHECK(lambda::client::try_make(lambda::config().profile("orders").profile(std::nullopt)).has_value());
    CHECK(lambda::client::try_make(lambda::config().ca_bundle(path).ca_bundle(std::nullopt)).has_value());
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    std::remove(path.c_str());
}

template <typename Set>
void refused(const char *message, Set set) {
    lambda::config config = bare();
    set(config);
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, {
        CHECK_HAS(caught.what(), std::string("LAMBDA_E_INVALID_ARGUMENT: ") + message);
        CHECK(std::string_view(caught.what()).find("hunter2") == std::string_view::npos);
    });
}

void refusals() {
    refused("profile: ", [](lambda::config &config) { config.profile(""); });
    refused("profile: contains a NUL", [](lambda::config &config) { config.profile("a\0b"sv); });
    refused("ca_bundle: ", [](lambda::config &config) { config.ca_bundle(""); });
    refused("ca_bundle: contains a NUL", [](lambda::config &config) { config.ca_bundle("/a\0b"sv); });
    refused("proxy: ", [](lambda::config &config) { config.proxy("ftp://user:hunter2@host"); });
    refused("proxy: contains a NUL", [](lambda::config &config) { config.proxy("http://host\0.evil"sv); });
    refused("app_id: ", [](lambda::config &config) { config.app_id("my app"); });
    refused("app_id: contains a NUL", [](lambda::config &config) { config.app_id("a\0"sv); });
    refused("log: ", [](lambda::config &config) {
        config.log(lambda::log_level(9), [](lambda::log_level, std::string_view, std::string_view) {});
    });
    // Remembered, until the field is set well.
    lambda::config config = bare();
    config.app_id("my app").proxy("ftp://h").use_fips(true);
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "app_id: "));
    config.app_id("mine");
    CHECK_THROWS(lambda::client{config}, lambda::invalid_argument, CHECK_HAS(caught.what(), "proxy: "));
    config.proxy(std::nullopt);
    CHECK(lambda::client::try_make(config).has_value());
    config.endpoint_url("http://localhost:1");
    CHECK_THROWS(lambda::client{config}, lambda::config_error, CHECK_HAS(caught.what(), "use_fips"));
}

void moved_from() {
    lambda::client client(bare());
    const lambda::client other = std::move(client);
    CHECK_THROWS((void)client.describe(), lambda::invalid_argument, CHECK_HAS(caught.what(), "client: was moved from"));
    CHECK_HAS(other.describe(), "eu-central-1");
}

}  // namespace

int main() {
    without_endpoint();
    every_setting_is_shown();
    off_and_unset();
    refusals();
    profiles_and_files();
    moved_from();
    return check::done();
}
