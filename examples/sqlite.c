/* Makes Lambda functions callable from SQL, as a loadable extension of SQLite:
 *
 *   cc -shared -fPIC sqlite.c -o lambda.so -llambda_invoke
 *   sqlite3 -cmd '.load ./lambda' :memory: "SELECT lambda('hello', '{\"name\": \"Ada\"}')"
 *
 * lambda(name, payload) returns the response's payload as text. NULL and no payload are both no payload. A failure is an
 * error of the statement. Region, credentials and endpoint come from the environment, as for every AWS tool. */

#include <stdbool.h>

#include <sqlite3ext.h>

#include "lambda_invoke.h"

SQLITE_EXTENSION_INIT1

/* Ends a call when the statement is interrupted. */
static int32_t is_interrupted(void *connection) {
#if SQLITE_VERSION_NUMBER >= 3041000
    return sqlite3_libversion_number() >= 3041000 && sqlite3_is_interrupted(connection);
#else
    (void)connection;
    return 0;
#endif
}

static void invoke(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const lambda_client *client = sqlite3_user_data(context);
    lambda_request *request = lambda_request_new();
    /* lambda_invoke reports what a setter rejects. */
    lambda_request_set_function_name(request, (const char *)sqlite3_value_text(arguments[0]));
    if (count > 1) {
        const void *payload = sqlite3_value_blob(arguments[1]);
        lambda_request_set_payload(request, payload, (size_t)sqlite3_value_bytes(arguments[1]));
    }
    lambda_request_set_interrupt(request, is_interrupted, sqlite3_context_db_handle(context));

    lambda_result *result = lambda_invoke(client, request);
    if (result->status == LAMBDA_OK) {
        sqlite3_result_text64(
            context, (const char *)result->payload, result->payload_len, SQLITE_TRANSIENT, SQLITE_UTF8);
    } else if (result->status == LAMBDA_E_CANCELLED) {
        sqlite3_result_error_code(context, SQLITE_INTERRUPT);
    } else {
        sqlite3_result_error(context, result->error_message, -1);
    }
    lambda_result_free(result);
    lambda_request_free(request);
}

static void free_client(void *client) {
    lambda_client_free(client);
}

/* SQLite derives the name of this function from the name of the file, lambda.so. */
int sqlite3_lambda_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api);
int sqlite3_lambda_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api) {
    SQLITE_EXTENSION_INIT2(api);
    /* Every function owns its client. Direct only: no view or trigger of a foreign database may invoke. */
    for (int count = 1; count <= 2; count++) {
        lambda_client *client = NULL;
        lambda_error *error = NULL;
        if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
            *message = sqlite3_mprintf("%s", lambda_error_message(error));
            lambda_error_free(error);
            return SQLITE_ERROR;
        }
        int made = sqlite3_create_function_v2(
            connection, "lambda", count, SQLITE_UTF8 | SQLITE_DIRECTONLY, client, invoke, NULL, NULL, free_client);
        if (made != SQLITE_OK) {
            return made;
        }
    }
    return SQLITE_OK;
}
