import Matrix
import Store

/// What administrators did and who signed in: each entry holds the hash of the one before and is signed by the server's key, so that
/// nothing can be changed or taken out unseen. Secrets are never in it.
///
/// Whoever holds both the database and the key could write another trail; hence ``AuditVerification/hash``, to be kept elsewhere.
public struct AuditTrail: Sendable {
    private let store: Store
    private let clock: any Clock
    private let keys: any SigningKeySource

    private static let pageSize = 1_000

    /// - Parameters:
    ///   - store: Where it is.
    ///   - clock: Tells the time.
    ///   - keys: What signs it.
    public init(store: Store, clock: any Clock, keys: any SigningKeySource) {
        self.store = store
        self.clock = clock
        self.keys = keys
    }

    /// Notes an act in the transaction that does it.
    ///
    /// - Parameters:
    ///   - act: What is done.
    ///   - actor: By whom.
    ///   - subject: Whom or what it is done to: a user ID, a room ID, a token's name.
    ///   - detail: What else is to be known of it.
    ///   - writer: The transaction.
    public func note(
        _ act: AuditedAct, by actor: AuditActor, on subject: String?, detail: JSONValue = [:], in writer: StoreWriter
    ) throws {
        let time = clock.now
        try writer.audit.append(
            action: act.rawValue, actor: actor.name, subject: subject, time: time, signedWith: keys.signingKey
        ) { number in
            var entry: JSONValue = [
                "num": .integer(number), "ts": .integer(time), "action": .string(act.rawValue),
                "actor": .string(actor.name),
            ]
            if let subject { entry["subject"] = .string(subject) }
            if !actor.address.isEmpty { entry["address"] = .string(actor.address) }
            if let reason = actor.reason { entry["reason"] = .string(reason) }
            if detail != [:] { entry["detail"] = detail }
            return entry.serialized()
        }
    }

    /// Entries, the latest first.
    public func latest(_ selection: AuditSelection, before: Int64?, limit: Int) async throws -> [AuditRecord] {
        try await store.read { try $0.audit.latest(selection, before: before, limit: limit) }
    }

    /// Entries in their order, after that of a number.
    public func entries(after number: Int64, limit: Int) async throws -> [AuditRecord] {
        try await store.read { try $0.audit.entries(after: number, limit: limit) }
    }

    /// Goes through all of the trail.
    ///
    /// - Parameter known: Public halves of the keys that this server has signed with.
    public func verify(_ known: [String: VerifyKey]) async throws -> AuditVerification {
        var last: (number: Int64, hash: [UInt8]) = (0, AuditRecord.origin)
        while true {
            let page = try await store.read { [last] in try $0.audit.entries(after: last.number, limit: Self.pageSize) }
            for record in page {
                if let flaw = Self.flaw(of: record, after: last, known) {
                    return AuditVerification(entries: last.number, hash: last.hash, flaw: flaw)
                }
                last = (record.number, record.hash)
            }
            guard page.count < Self.pageSize else { continue }
            let count = try await store.read { try $0.audit.count() }
            // Meanwhile others may have been made.
            if count > last.number,
                try await store.read({ [last] in
                    try $0.audit.entries(after: last.number, limit: 1).isEmpty
                })
            {
                return AuditVerification(
                    entries: last.number, hash: last.hash,
                    flaw: "entries after \(last.number) are missing: \(count) have been made")
            }
            if count <= last.number { return AuditVerification(entries: last.number, hash: last.hash, flaw: nil) }
        }
    }

    private static func flaw(
        of record: AuditRecord, after last: (number: Int64, hash: [UInt8]), _ known: [String: VerifyKey]
    ) -> String? {
        let name = "entry \(record.number)"
        guard record.number == last.number + 1 else { return "entry \(last.number + 1) is missing" }
        guard record.hash == AuditRecord.hash(of: record.entry, after: last.hash) else {
            return "\(name) is not what was written, or what came before it is not"
        }
        guard let key = known[record.keyID] else { return "\(name) is signed by an unknown key, \(record.keyID)" }
        guard key.verify(signature: record.signature, message: record.hash) else {
            return "\(name) has a wrong signature"
        }
        guard let entry = try? JSON(parsing: record.entry), entry["num"]?.int == record.number,
            entry["ts"]?.int == record.time, entry["action"]?.string == record.action,
            entry["actor"]?.string == record.actor, entry["subject"]?.string == record.subject
        else { return "\(name) is found by something else than what it says" }
        return nil
    }
}

/// What became of going through the audit trail.
public struct AuditVerification: Sendable {
    /// How many entries are in order.
    public let entries: Int64
    /// The hash of the last of them. Kept elsewhere, it shows later that nothing up to there was written anew.
    public let hash: [UInt8]
    /// What is wrong; `nil` if nothing is.
    public let flaw: String?
}
