import Database

extension Migration {
    /// The words of messages, names and topics.
    static let search = Migration(
        number: 15, name: "full-text search",
        sql: """
            -- Events that can be searched for. key: see SearchKey.
            CREATE TABLE search_entries (
                event_num INTEGER NOT NULL PRIMARY KEY REFERENCES events (num) ON DELETE CASCADE,
                room_num INTEGER NOT NULL,
                key INTEGER NOT NULL,
                origin_server_ts INTEGER NOT NULL
            );
            -- Their words, as Words makes them. rowid: event_num.
            -- engine: sqlite
            CREATE VIRTUAL TABLE search_words USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0');
            -- engine: postgres
            CREATE TABLE search_words (
                event_num BIGINT NOT NULL PRIMARY KEY REFERENCES search_entries (event_num) ON DELETE CASCADE,
                words TSVECTOR NOT NULL
            );
            -- engine: postgres
            CREATE INDEX search_words_by_word ON search_words USING GIN (words);
            -- Events that the journal does not announce, since they are history fetched later.
            CREATE TABLE search_backlog (
                event_num INTEGER NOT NULL PRIMARY KEY REFERENCES events (num) ON DELETE CASCADE
            );
            INSERT INTO search_backlog (event_num) SELECT num FROM events WHERE position < 0;
            -- How far the journal has been looked through.
            INSERT INTO counters (name, value) VALUES ('search', 0);
            """)
}
