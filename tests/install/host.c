// A program with a copy of the library that loads a plugin with another one, and unloads it while a thread that was in
// there still lives.

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            return 1;                                                               \
        }                                                                           \
    } while (0)

static int (*plugin_call)(void);
static sem_t called, unloaded;
static int failed = 1;

static void *work(void *unused) {
    failed = plugin_call();
    sem_post(&called);
    sem_wait(&unloaded);
    return unused;
}

// ISO C has no conversion from an object's address to a function's.
static void find(void *plugin, const char *name, void *function) {
    void *const address = dlsym(plugin, name);
    memcpy(function, &address, sizeof address);
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    CHECK(call() == 0);
    void *const plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);
    const char *(*plugin_version)(void) = NULL;
    find(plugin, "plugin_version", &plugin_version);
    find(plugin, "plugin_call", &plugin_call);
    CHECK(plugin_version != NULL && plugin_call != NULL);
    // Equal versions, but not the same bytes.
    CHECK(plugin_version() != lambda_version());

    CHECK(sem_init(&called, 0, 0) == 0 && sem_init(&unloaded, 0, 0) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
    sem_wait(&called);
    CHECK(failed == 0);
    CHECK(dlclose(plugin) == 0);
    sem_post(&unloaded);
    CHECK(pthread_join(thread, NULL) == 0);

    const pid_t child = fork();
    if (child == 0) {
        _exit(call());
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return call();
}
