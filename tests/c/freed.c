/* The caller frees client and request while a call with both is under way: the call continues to its end. */

#include "call.h"

struct mine {
    lambda_client *client;
    lambda_request *request;
    int asked;
};

static int32_t let_go(void *user_data) {
    struct mine *mine = user_data;
    if (mine->asked++ == 0) {
        lambda_client_free(mine->client);
        lambda_request_free(mine->request);
    }
    return 0;
}

int main(void) {
    struct mine mine = {default_client(), request_of("echo", "{\"a\": 1}"), 0};
    lambda_request_set_interrupt(mine.request, let_go, &mine);
    lambda_result *result = lambda_invoke(mine.client, mine.request);
    check_result(__FILE__, __LINE__, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "{\"a\": 1}");
    CHECK_AT_LEAST(mine.asked, 1);
    lambda_result_free(result);
    return check_done();
}
