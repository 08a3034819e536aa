/* Linked into the library that ThreadSanitizer watches: what Rust's LLVM calls where memory is copied or filled, and older
   versions of gcc's ThreadSanitizer do not have. It does watch the standard functions. */

#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *to, int value, size_t size);

void *__tsan_memcpy(void *to, const void *from, size_t size) {
    return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size) {
    return memmove(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size) {
    return memset(to, value, size);
}
