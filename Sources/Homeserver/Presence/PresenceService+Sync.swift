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

    /// The text of an `m.presence` event about a user.
    public func event(about user: UserNumber, naming: Bool) async throws -> [UInt8]? {
        guard isEnabled else { return nil }
        let (record, id) = try await store.read { reader in
            (try reader.presence.presence(of: user), try reader.identifiers.user(user))
        }
        // Whoever has never been there is away.
        let status = record.map { PresenceStatus($0, now: clock.now) } ?? PresenceStatus(state: .offline)
        var writer = JSONWriter(capacity: 200)
        status.writeEvent(of: id, naming: naming, into: &writer)
        return writer.bytes
    }

    /// Users whose presence changed in a span of the journal.
    public func changes(after: StreamPosition, through: StreamPosition) async throws -> [UserNumber] {
        guard isEnabled else { return [] }
        return try await store.read { try $0.presence.changed(after: after, through: through) }
    }
}
