import Matrix
import Store

extension PresenceService: SyncPresenceSource {
    /// Notes that a user's client is there.
    public func seen(_ user: Requester, as presence: String) async {
        guard let state = PresenceState(name: presence) else { return }
        do {
            // The sync does not say how long it will wait: what the longest usual wait needs.
            try await active(user.number, state, timeoutMilliseconds: 30_000)
        } catch {
            // Presence that could not be written is written at the next sweep; it never fails a sync.
            markUnwritten(user.number)
        }
    }

    /// The texts of `m.presence` events about users.
    public func events(about users: [UserNumber], naming: Bool) async throws -> [[UInt8]] {
        guard isEnabled, !users.isEmpty else { return [] }
        let (records, ids) = try await store.read { reader in
            (try reader.presence.presence(of: users), try users.map { try reader.identifiers.user($0) })
        }
        let known = Dictionary(records.map { ($0.user, $0) }) { $1 }
        let now = clock.now
        return zip(users, ids).map { user, id in
            // Whoever has never been there is away.
            let status = known[user].map { PresenceStatus($0, now: now) } ?? PresenceStatus(state: .offline)
            var writer = JSONWriter(capacity: 200)
            status.writeEvent(of: id, naming: naming, into: &writer)
            return writer.bytes
        }
    }

    /// Users who are not offline.
    public func present() async throws -> [UserNumber] {
        guard isEnabled else { return [] }
        return try await store.read { try $0.presence.present() }
    }

    /// Users whose presence changed in a span of the journal.
    public func changes(after: StreamPosition, through: StreamPosition) async throws -> [UserNumber] {
        guard isEnabled else { return [] }
        return try await store.read { try $0.presence.changed(after: after, through: through) }
    }
}
