// Web: HTTP glue. Server, router, typed endpoints, errors, limits.
