import Database

extension Migration {
    /// Servers that administrators allow or deny while the server runs.
    static let federationRules = Migration(
        number: 36, name: "federation rules",
        sql: """
            -- pattern: a server name, or *. and a domain. added_by: a user ID, or how else they came.
            CREATE TABLE federation_rules (
                pattern TEXT NOT NULL PRIMARY KEY,
                is_allowed INTEGER NOT NULL,
                added_by TEXT NOT NULL,
                added_ts INTEGER NOT NULL
            );
            """
    )
}
