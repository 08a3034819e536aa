/* Does one thing that a sanitizer finds, or nothing wrong: proves that the sanitizers watch the memory of the library too.
 *
 * usage: sanitized sound|freed|leak|overflow */

#define _DEFAULT_SOURCE

#include <lambda_invoke.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *what = argc == 2 ? argv[1] : "";
    /* It is refused: there is no client. */
    lambda_result *result = lambda_invoke(NULL, NULL);
    const char *message = result->error_message;
    if (strcmp(what, "leak") == 0) {
        result = NULL;
        message = NULL;
    }
    lambda_result_free(result);
    if (strcmp(what, "freed") == 0) {
        printf("%d\n", message[0]);
    }
    if (strcmp(what, "overflow") == 0) {
        printf("%d\n", 0x7FFFFFFF + argc);
    }
    return 0;
}
