/* The frozen layout of struct lambda_result where pointers and size_t have 64 bits: compiling is the test. Its members
 * never move, change or end; what comes later comes as functions. */

#include <lambda_invoke.h>

#define TYPE_OF(member, type) _Generic(((lambda_result *)0)->member, type: 1, default: 0)
#define MEMBER(member, offset, type)                                                                   \
    _Static_assert(offsetof(struct lambda_result, member) == (offset), #member " has moved");          \
    _Static_assert(sizeof(((lambda_result *)0)->member) == sizeof(type), #member " has another size"); \
    _Static_assert(TYPE_OF(member, type), #member " has another type")

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(int) == 4, "not the layout that is written here");
_Static_assert(sizeof(struct lambda_result) == 144, "the struct has another size");
_Static_assert(_Alignof(struct lambda_result) == 8, "the struct has another alignment");
_Static_assert(_Generic((lambda_status)0, int32_t: 1, default: 0), "lambda_status is another type");

MEMBER(status, 0, int32_t);
MEMBER(execution, 4, int32_t);
MEMBER(http_status, 8, int32_t);
MEMBER(attempts, 12, uint32_t);
MEMBER(payload, 16, const uint8_t *);
MEMBER(payload_len, 24, size_t);
MEMBER(log, 32, const char *);
MEMBER(log_len, 40, size_t);
MEMBER(function_error, 48, const char *);
MEMBER(error_type, 56, const char *);
MEMBER(error_message, 64, const char *);
MEMBER(throttle_reason, 72, const char *);
MEMBER(retry_after_ms, 80, uint64_t);
MEMBER(request_id, 88, const char *);
MEMBER(executed_version, 96, const char *);
MEMBER(durable_execution_arn, 104, const char *);
MEMBER(duration_us, 112, uint64_t);
MEMBER(tag, 120, uint64_t);
MEMBER(content_type, 128, const char *);
MEMBER(unknown_attempts, 136, uint32_t);
MEMBER(reserved, 140, uint32_t);
