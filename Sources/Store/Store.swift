// Store: one file a topic, record types and queries, SQL written once for both engines; the journal.
