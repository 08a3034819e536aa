// A library that does not fit the header: its own lambda_version_number stands here before the library's.

#include "check.hpp"

namespace {
std::uint32_t number = 0;
}

extern "C" std::uint32_t lambda_version_number(void) {
    return number;
}

int main() {
    static_assert(LAMBDA_VERSION_NUMBER > 0);
    for (const std::uint32_t wrong :
        {std::uint32_t{LAMBDA_VERSION_NUMBER - 1}, std::uint32_t{(LAMBDA_VERSION_MAJOR + 1) * 1000000}}) {
        number = wrong;
        CHECK_THROWS(lambda::client{}, lambda::config_error, {
            CHECK_HAS(caught.what(), std::to_string(wrong));
            CHECK_HAS(caught.what(), std::to_string(LAMBDA_VERSION_NUMBER));
        });
        CHECK_THROWS(lambda::client{lambda::config()}, lambda::config_error, (void)caught);
        CHECK(!lambda::client::try_make().has_value());
    }
    for (const std::uint32_t good : {std::uint32_t{LAMBDA_VERSION_NUMBER}, std::uint32_t{LAMBDA_VERSION_NUMBER + 1}}) {
        number = good;
        CHECK(lambda::client::try_make().has_value());
    }
    return check::done();
}
