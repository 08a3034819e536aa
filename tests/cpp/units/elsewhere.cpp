#include <lambda_invoke.hpp>

lambda::result elsewhere(const lambda::client &client, const lambda::request &request);

lambda::result elsewhere(const lambda::client &client, const lambda::request &request) {
    return client.invoke(request);
}
