// Several files that include the header, one of them compiled without exceptions, are one program.

#include "../check.hpp"

lambda::result elsewhere(const lambda::client &client, const lambda::request &request);
bool without_exceptions(const char *function);

int main() {
    const lambda::client client;
    const lambda::request request = lambda::request("echo").payload("1");
    CHECK_SAME(elsewhere(client, request).payload(), "1");
    CHECK(without_exceptions("echo"));
    CHECK(!without_exceptions("nowhere"));
    // Here they are caught, whatever the linker found in the other file.
    CHECK_THROWS((void)elsewhere(client, lambda::request("nowhere")), lambda::service_error, (void)caught);
    try {
        (void)client.invoke(lambda::request(request).interrupt([]() -> bool { throw 7; }));
        CHECK(false);
    } catch (int caught) {
        CHECK_SAME(caught, 7);
    }
    return check::done();
}
