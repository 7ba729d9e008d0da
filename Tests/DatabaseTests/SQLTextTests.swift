import Testing

@testable import Database

@Suite struct SQLTextTests {
    @Test(
        arguments: [
            ("SELECT $2, $10", "SELECT ?2, ?10", "SELECT $2, $10"),
            ("SELECT '$1', \"$2\" -- $3\n/* $4 */, $1", "SELECT '$1', \"$2\" -- $3\n/* $4 */, ?1", nil),
            ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', ?1", nil),
            ("a IN list($1)", "a IN (SELECT value FROM json_each(?1))", "a = ANY($1::bigint[])"),
            ("a not in textlist( $2 )", "a not in (SELECT value FROM json_each(?2))", "a <> ALL($2::text[])"),
            (
                "FROM list($1) AS l", "FROM (SELECT value FROM json_each(?1)) AS l",
                "FROM (SELECT unnest($1::bigint[]) AS value) AS l"
            ),
            ("SELECT list FROM t WHERE a IN (list)", "SELECT list FROM t WHERE a IN (list)", nil),
            ("SELECT greatest(a, least(b, $1))", "SELECT max(a, min(b, ?1))", "SELECT greatest(a, least(b, $1))"),
            ("SELECT 1 FOR UPDATE SKIP LOCKED", "SELECT 1 ", "SELECT 1 FOR UPDATE SKIP LOCKED"),
            ("SELECT 1 FOR UPDATE", "SELECT 1 ", "SELECT 1 FOR UPDATE"),
            ("SELECT $$ $1 ' $$, $tag$ $$ $tag$", "SELECT $$ $1 ' $$, $tag$ $$ $tag$", nil),
            ("SELECT 'unfinished $1", "SELECT 'unfinished $1", nil),
            ("", "", ""),
        ] as [(String, String, String?)])
    func rewriting(_ text: String, _ sqlite: String, _ postgres: String?) {
        #expect(SQLDialect(engine: .sqlite).rewrite(text) == sqlite)
        #expect(SQLDialect(engine: .postgres).rewrite(text) == postgres ?? text)
    }

    @Test func statementsAreKnownByTheirBytes() {
        let text = "SELECT 'é'"
        #expect(SQL(text + "").key == SQL(text + "").key)
        #expect(SQL("SELECT 'e\u{301}'" + "").key != SQL(text + "").key)
        func literal() -> SQL { "SELECT 1" }
        #expect(literal().key == literal().key)
        #expect(literal().description == "SELECT 1")
    }

    @Test func tables() {
        let text =
            "CREATE TABLE t (a INTEGER, text TEXT CHECK (CAST(a AS TEXT) <> 'TEXT'), b BLOB) WITHOUT ROWID ; -- end"
        #expect(
            PortableDDL.statements(of: text, engine: .sqlite) == [
                "CREATE TABLE t (a INTEGER, text TEXT CHECK (CAST(a AS TEXT) <> 'TEXT'), b BLOB) STRICT, WITHOUT ROWID"
            ])
        #expect(
            PortableDDL.statements(of: text, engine: .postgres) == [
                "CREATE TABLE t (a BIGINT, text TEXT COLLATE \"C\" CHECK (CAST(a AS TEXT) <> 'TEXT'), b BYTEA)"
            ])
    }

    @Test(arguments: [
        ("sqlite:chappe.db", DatabaseLocation.sqlite(path: "/data/chappe.db")),
        ("chappe.db", .sqlite(path: "/data/chappe.db")),
        ("sqlite:/x/chappe.db", .sqlite(path: "/x/chappe.db")),
        ("/x/chappe.db", .sqlite(path: "/x/chappe.db")),
        ("postgres://u:p@h/d", .postgres(connectionString: "postgres://u:p@h/d")),
        ("postgresql:///d", .postgres(connectionString: "postgresql:///d")),
    ])
    func locations(_ text: String, _ location: DatabaseLocation) throws {
        #expect(try DatabaseLocation(parsing: text, relativeTo: "/data") == location)
    }

    @Test(arguments: [
        ("", DatabaseLocationError.emptyPath), ("sqlite:", .emptyPath), (":memory:", .inMemory),
        ("mysql://h/d", .unknownScheme("mysql")), ("a\0b", .nulInPath),
    ])
    func badLocations(_ text: String, _ error: DatabaseLocationError) {
        #expect(throws: error) { try DatabaseLocation(parsing: text, relativeTo: "/data") }
    }
}
