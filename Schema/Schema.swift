// Schema: the numbered migrations, one list for both database engines.
