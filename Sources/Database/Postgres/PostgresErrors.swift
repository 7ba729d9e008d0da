import CLibpq

/// Turns PostgreSQL's errors into ``DatabaseError``.
enum PostgresErrors {
    /// What libpq says about a connection, on one line.
    static func message(of handle: OpaquePointer?) -> String {
        let lines = String(libpq: libpq.pointee.PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
        return lines.joined(separator: " ")
    }

    static func lost(_ handle: OpaquePointer?) -> DatabaseError {
        .unavailable(reason: "the connection to PostgreSQL is lost: \(message(of: handle))")
    }

    /// Whether an error was reported by the server and not made up by libpq.
    static func isFromServer(_ result: OpaquePointer) -> Bool { field(result, "C") != nil }

    static func error(of result: OpaquePointer) -> DatabaseError {
        guard let code = field(result, "C") else {
            // No code: libpq itself speaks, of a connection that is gone.
            let message = String(libpq: libpq.pointee.PQresultErrorMessage(result)).split(whereSeparator: \.isNewline)
            return .unavailable(reason: "PostgreSQL: \(message.joined(separator: " "))")
        }
        let message = field(result, "M") ?? ""
        if code.hasPrefix("23") {
            // The server's message and detail would hold values; the names are enough.
            let names = [field(result, "t"), field(result, "c"), field(result, "n")].compactMap { $0 }
            return .constraint(constraintKind(code), detail: names.joined(separator: " "))
        }
        return error(code: code, message: message)
    }

    static func error(code: String, message: String) -> DatabaseError {
        switch code {
        case "40001", "40P01":
            return .serialization(detail: message)
        case "40003":
            return .outcomeUnknown(reason: message)
        case "XX001", "XX002":
            return .corrupt(detail: message)
        case "25006", "25P03", "55P03", "57014", "57P01", "57P02", "57P03", "57P04", "57P05":
            // A standby, a lock or statement that took too long, a server that stops or starts.
            return .unavailable(reason: "PostgreSQL: \(message) (\(code))")
        case _ where code.hasPrefix("08") || code.hasPrefix("53") || code.hasPrefix("58"):
            // Connection, resources (a full disk among them), the server's system.
            return .unavailable(reason: "PostgreSQL: \(message) (\(code))")
        default:
            return .sql(code: code, message: message)
        }
    }

    private static func constraintKind(_ code: String) -> DatabaseError.ConstraintKind {
        switch code {
        case "23505": .unique
        case "23503": .foreignKey
        case "23502": .notNull
        case "23514": .check
        default: .other
        }
    }

    /// A field of an error report, by the letter of the protocol.
    private static func field(_ result: OpaquePointer, _ letter: Unicode.Scalar) -> String? {
        libpq.pointee.PQresultErrorField(result, Int32(letter.value)).map { String(cString: $0) }
    }
}
