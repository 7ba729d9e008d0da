import CLibpq
import Glibc

/// One live connection to a PostgreSQL server, always in libpq's pipeline mode: statements are sent without waiting, and
/// ``sync()`` waits for all answers at once. Used by one thread at a time.
final class PostgresSession {
    /// A statement that the server has, or will have once what was sent succeeds.
    final class Prepared {
        let name: String
        let types: [Oid]
        let isReadOnly: Bool
        var isConfirmed = false

        init(name: String, types: [Oid], isReadOnly: Bool) {
            self.name = name
            self.types = types
            self.isReadOnly = isReadOnly
        }
    }

    /// What becomes of the answer to something sent.
    enum Expected {
        case prepared(Prepared)
        case discarded
        case wanted
        case commit
        case sync
    }

    /// What the server has answered up to a ``sync()``.
    struct Answers {
        /// The first error since the last sync.
        var error: DatabaseError?
        /// The answer to the last statement whose result was wanted.
        var wanted: PostgresResult?
        /// Whether the server has confirmed a COMMIT.
        var hasCommitted = false
        /// Whether the server has refused a statement that came before the COMMIT, which therefore did nothing.
        var failedBeforeCommit = false
    }

    /// Whether the connection is gone; nothing more can be done with the session.
    private(set) var isLost = false
    /// Statements sent whose answers have not been read.
    var pendingCount: Int { expected.count }

    private let handle: OpaquePointer
    private let capacity: Int
    private var expected: [Expected] = []
    private var statements: [StatementKey: Prepared] = [:]
    private var namesUsed = 0
    private var preparedOnServer = 0
    private var parameters = PostgresParameters()

    /// Takes over a connection that is set up.
    init(handle: OpaquePointer, statementCacheCapacity: Int) throws {
        self.handle = handle
        capacity = statementCacheCapacity
        guard libpq.pointee.PQenterPipelineMode(handle) == 1 else {
            throw DatabaseError.unavailable(reason: "PostgreSQL: \(PostgresErrors.message(of: handle))")
        }
    }

    deinit { libpq.pointee.PQfinish(handle) }

    /// Whether the server is still there, as far as can be told without asking it.
    func isAlive() -> Bool {
        // A server that went away has left an end of file; what else is there to read are answers we have not read yet.
        var attempts = 0
        while !isLost, attempts < 8 {
            var descriptor = pollfd(fd: libpq.pointee.PQsocket(handle), events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, 0) > 0 else { break }
            if libpq.pointee.PQconsumeInput(handle) != 1 || libpq.pointee.PQstatus(handle) != CONNECTION_OK {
                isLost = true
            }
            attempts += 1
        }
        return !isLost
    }

    // MARK: Sending

    /// Sends a statement without waiting. Answers whether it only reads.
    @discardableResult
    func send(_ sql: SQL, _ values: [any SQLBindable], _ purpose: Expected) throws -> Bool {
        guard !isLost else { throw PostgresErrors.lost(handle) }
        try parameters.encode(values)
        let statement = try prepared(sql)
        let isSent = parameters.withPointers { count, values, lengths, formats in
            libpq.pointee.PQsendQueryPrepared(handle, statement.name, count, values, lengths, formats, 1) == 1
        }
        guard isSent else { throw notSent() }
        expected.append(purpose)
        return statement.isReadOnly
    }

    private func prepared(_ sql: SQL) throws -> Prepared {
        let key = sql.key
        if let known = statements[key], known.types == parameters.types { return known }
        namesUsed += 1
        let text = SQLDialect(engine: .postgres).rewrite(sql.description)
        let statement = Prepared(
            name: "s\(namesUsed)", types: parameters.types, isReadOnly: PostgresStatementKind.isReadOnly(text))
        guard
            libpq.pointee.PQsendPrepare(handle, statement.name, text, Int32(statement.types.count), statement.types)
                == 1
        else {
            throw notSent()
        }
        expected.append(.prepared(statement))
        preparedOnServer += 1
        statements[key] = statement
        return statement
    }

    /// Forgets all prepared statements when there are too many. Only outside a transaction.
    func boundStatements() throws {
        guard preparedOnServer > capacity else { return }
        guard libpq.pointee.PQsendQueryParams(handle, "DEALLOCATE ALL", 0, nil, nil, nil, nil, 1) == 1 else {
            throw notSent()
        }
        expected.append(.discarded)
        try sendSync()  // else it would count as the next transaction's first statement
        statements = [:]
        preparedOnServer = 0
    }

    private func notSent() -> DatabaseError {
        guard libpq.pointee.PQstatus(handle) == CONNECTION_OK else {
            isLost = true
            return PostgresErrors.lost(handle)
        }
        return .sql(code: "libpq", message: PostgresErrors.message(of: handle))
    }

    /// Ends what was sent as one unit of error handling and lets it go, without reading the answers.
    func sendSync() throws {
        guard !isLost else { throw PostgresErrors.lost(handle) }
        guard libpq.pointee.PQpipelineSync(handle) == 1 else { throw notSent() }
        expected.append(.sync)
    }

    // MARK: Receiving

    /// Waits until the server has answered everything sent.
    func sync() -> Answers {
        var answers = Answers()
        do { try sendSync() } catch { isLost = true }
        for expectation in expected {
            // What a lost connection still holds was answered before it was lost.
            guard read(expectation, into: &answers) else { break }
        }
        expected.removeAll(keepingCapacity: true)
        if isLost, answers.error == nil { answers.error = PostgresErrors.lost(handle) }
        if answers.error != nil {
            // The server skipped what followed the error, preparing included.
            statements = statements.filter { $0.value.isConfirmed }
        }
        return answers
    }

    /// Reads the answer to one thing sent; false when there will be no more.
    private func read(_ expectation: Expected, into answers: inout Answers) -> Bool {
        guard let result = libpq.pointee.PQgetResult(handle) else {
            isLost = true
            return false
        }
        if case .sync = expectation {
            defer { libpq.pointee.PQclear(result) }
            if libpq.pointee.PQresultStatus(result) == PGRES_PIPELINE_SYNC { return true }
            isLost = true
            return false
        }
        note(PostgresResult(result), for: expectation, in: &answers)
        while !isLost, let extra = libpq.pointee.PQgetResult(handle) {
            // Nothing but an error that ends the connection can follow.
            if libpq.pointee.PQresultStatus(extra) == PGRES_FATAL_ERROR, answers.error == nil {
                answers.error = PostgresErrors.error(of: extra)
            }
            libpq.pointee.PQclear(extra)
            if libpq.pointee.PQstatus(handle) != CONNECTION_OK { isLost = true }
        }
        return !isLost
    }

    private func note(_ result: PostgresResult, for expectation: Expected, in answers: inout Answers) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
            switch expectation {
            case .prepared(let statement): statement.isConfirmed = true
            case .wanted: answers.wanted = result
            case .commit:
                // COMMIT of a transaction that failed answers ROLLBACK.
                answers.hasCommitted = result.commandTag == "COMMIT"
            case .discarded, .sync: break
            }
        case PGRES_PIPELINE_ABORTED:
            break  // the error that aborted it has been noted
        default:
            if case .commit = expectation {} else if result.isServerError { answers.failedBeforeCommit = true }
            if answers.error == nil { answers.error = result.error }
            if libpq.pointee.PQstatus(handle) != CONNECTION_OK { isLost = true }
        }
    }
}

/// Tells statements that change nothing.
enum PostgresStatementKind {
    /// Errs on the side of "may change something".
    static func isReadOnly(_ text: String) -> Bool {
        let words = SQLTokenizer.tokens(of: text).filter { $0.kind == .word }
        guard let first = words.first, first.isWord("SELECT") || first.isWord("WITH") || first.isWord("VALUES") else {
            return false
        }
        return !words.contains { $0.isWord("INSERT") || $0.isWord("UPDATE") || $0.isWord("DELETE") }
    }
}
