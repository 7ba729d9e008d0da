/// What the database can answer instead of a result.
public enum DatabaseError: Error, Sendable, Equatable {
    /// Nothing was written and trying later may work: disk full, input/output error, lost connection, lock held too long,
    /// queue full, closing.
    case unavailable(reason: String)
    /// The commit was sent and no answer came: it may or may not be on disk.
    case outcomeUnknown(reason: String)
    /// A constraint of the schema refused the statement. The detail names the constraint, never the values.
    case constraint(ConstraintKind, detail: String)
    /// The transaction conflicts with another one (serialization failure, deadlock): the same write may work when repeated.
    case serialization(detail: String)
    /// The statement itself is wrong or was refused. The code is SQLite's extended result code or PostgreSQL's SQLSTATE.
    case sql(code: String, message: String)
    /// The database file is damaged or is no database.
    case corrupt(detail: String)
    /// A column does not hold what was asked of the ``Row``.
    case typeMismatch(column: Int, expected: String, found: String)

    /// Which constraint refused.
    public enum ConstraintKind: String, Sendable {
        /// A primary key or unique index.
        case unique
        /// A reference to a row that is missing, or from one that remains.
        case foreignKey
        /// A null where none may be.
        case notNull
        /// A `CHECK`.
        case check
        /// A value of another type than the column's, or any other constraint.
        case other
    }
}

extension DatabaseError {
    /// Whether this is the refusal of a constraint of that kind.
    public func isConstraint(_ kind: ConstraintKind) -> Bool {
        if case .constraint(kind, _) = self { return true }
        return false
    }
}
