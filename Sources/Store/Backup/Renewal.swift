import Database
import Matrix

/// What was done to a restored database so that its server says nothing twice.
public struct RenewalReport: Sendable {
    /// Where the journal goes on.
    public let position: StreamPosition
    /// One-time keys that nobody is given any more.
    public let oneTimeKeys: Int
    /// Events to be sent later whose time has come meanwhile.
    public let delayedEvents: Int
}

extension StoreWriter {
    /// Prepares a restored database for serving. What happened after the backup is not in it, but others know of it: clients, other servers,
    /// application services. So what names things to them goes on beyond all that they can have been told.
    ///
    /// - The journal leaps, so that no position stands for two things: sync tokens, pages of history and the `stream_id` of device lists
    ///   are made of them. An entry that says nothing stands at the new end, for those who go through the journal.
    /// - One-time keys count as claimed: which of them were claimed after the backup is not known, and each must be given out once. Clients see
    ///   that there are none left, and upload new ones.
    /// - Application services are sent transactions of numbers that they have not seen: from the time on, in milliseconds.
    /// - Events to be sent later that are due by now are dropped: they have been sent, or taken back.
    /// - Notifications that wait are dropped, and what is good for one use only: login tokens, nonces of registration.
    ///
    /// Transactions to other servers need nothing: they are named after their content.
    ///
    /// - Parameters:
    ///   - leap: How many positions are left out: more than can have been used since any backup.
    ///   - now: The time, in milliseconds since 1970.
    public func renew(leap: Int64, now: Int64) throws -> RenewalReport {
        let position = try journal.reserve(Int(leap))
        let end = StreamPosition(position.rawValue + leap - 1)
        // Not by the journal's writer: the places before it stay empty.
        try sql.execute(
            "INSERT INTO journal (position, kind) VALUES ($1, $2)", end, JournalKind.accountData.rawValue)
        let keys = try sql.executeCounting("UPDATE one_time_keys SET claimed_ts = $1 WHERE claimed_ts IS NULL", now)
        try sql.execute("UPDATE app_services SET txn = GREATEST(txn, $1)", now)
        let delayed = try sql.executeCounting("DELETE FROM delayed_events WHERE send_ts <= $1", now)
        for table in ["pending_pushes", "login_tokens", "registration_nonces"] {
            try sql.execute(SQL("DELETE FROM \(table)"))
        }
        return RenewalReport(position: end, oneTimeKeys: keys, delayedEvents: delayed)
    }
}
