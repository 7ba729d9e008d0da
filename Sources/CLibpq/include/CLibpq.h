#ifndef CHAPPE_LIBPQ_H
#define CHAPPE_LIBPQ_H

#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif

// libpq brings twenty other libraries with it, for TLS, Kerberos and LDAP. It is loaded when the first connection is opened, so
// that a server on SQLite neither waits for them at every start nor carries them in memory.

// The functions of the library that are used, by the types that its header gives them.
#define CHAPPE_LIBPQ_FUNCTIONS(X)                                                                                       \
    X(PQclear)                                                                                                          \
    X(PQcmdStatus)                                                                                                      \
    X(PQcmdTuples)                                                                                                      \
    X(PQconnectdb)                                                                                                      \
    X(PQconnectdbParams)                                                                                                \
    X(PQconsumeInput)                                                                                                   \
    X(PQenterPipelineMode)                                                                                              \
    X(PQerrorMessage)                                                                                                   \
    X(PQexec)                                                                                                           \
    X(PQfinish)                                                                                                         \
    X(PQfreemem)                                                                                                        \
    X(PQftype)                                                                                                          \
    X(PQgetResult)                                                                                                      \
    X(PQgetisnull)                                                                                                      \
    X(PQgetlength)                                                                                                      \
    X(PQgetvalue)                                                                                                       \
    X(PQnfields)                                                                                                        \
    X(PQnotifies)                                                                                                       \
    X(PQntuples)                                                                                                        \
    X(PQparameterStatus)                                                                                                \
    X(PQpipelineSync)                                                                                                   \
    X(PQresultErrorField)                                                                                               \
    X(PQresultErrorMessage)                                                                                             \
    X(PQresultStatus)                                                                                                   \
    X(PQsendPrepare)                                                                                                    \
    X(PQsendQueryParams)                                                                                                \
    X(PQsendQueryPrepared)                                                                                              \
    X(PQserverVersion)                                                                                                  \
    X(PQsetNoticeProcessor)                                                                                             \
    X(PQsocket)                                                                                                         \
    X(PQstatus)

#define CHAPPE_LIBPQ_DECLARE(name) __typeof__(&name) name;

/// The library's functions.
typedef struct {
    CHAPPE_LIBPQ_FUNCTIONS(CHAPPE_LIBPQ_DECLARE)
} chappe_libpq_functions;

/// Loads the library, once for the process; from any thread. `NULL` if there is no such library.
const chappe_libpq_functions *chappe_libpq(void);

/// What was wrong with loading the library, once it was tried.
const char *chappe_libpq_failure(void);

#endif
