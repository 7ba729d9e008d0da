#include <sqlite3.h>

/// Sets what holds for all connections of the process; to be called before the first is opened.
///
/// Every list in a statement is a table of its own for as long as the statement runs, and SQLite would allocate a batch of pages
/// ahead for each: 87 KiB for a list of one. Nor is it to count the memory it uses, for which all threads would wait for each other.
///
/// Variadic functions cannot be called from Swift.
static inline int chappe_sqlite3_configure(void) {
    int status = sqlite3_config(SQLITE_CONFIG_PAGECACHE, (void *)0, 0, 0);
    return status == SQLITE_OK ? sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) : status;
}
