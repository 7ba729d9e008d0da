#include "CLibpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static chappe_libpq_functions functions;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *failure = NULL;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        failure = dlerror();
        return;
    }
#define FIND(name)                                                                                                      \
    functions.name = (__typeof__(&name))dlsym(library, #name);                                                          \
    if (!functions.name) {                                                                                              \
        failure = #name " is missing in libpq.so.5";                                                                    \
        return;                                                                                                         \
    }
    CHAPPE_LIBPQ_FUNCTIONS(FIND)
}

const chappe_libpq_functions *chappe_libpq(void) {
    pthread_once(&once, load);
    return failure ? NULL : &functions;
}

const char *chappe_libpq_failure(void) { return failure ? failure : ""; }
