// Database: SQL on SQLite or PostgreSQL, each through its C library.
