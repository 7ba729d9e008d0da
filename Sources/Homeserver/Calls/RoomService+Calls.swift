import Matrix
import Store
import Synchronization

extension RoomService {
    /// Sends a state event and what refers to it, all or nothing, as far as the room has no policy server.
    ///
    /// - Parameters:
    ///   - first: Makes the state event, when it is the room's turn.
    ///   - rest: What refers to it, made when its name is known.
    ///   - alongside: Stored in the same transaction; it is told the events, in their order.
    /// - Returns: The events.
    func announce(
        in room: RoomNumber, _ first: @escaping @Sendable () async throws -> EventDraft,
        then rest: @escaping @Sendable (EventID) -> [EventDraft],
        alongside: @escaping @Sendable (StoreWriter, [EventID]) throws -> Void
    ) async throws -> [EventID] {
        if try await policy(of: try await view(room)) != nil {
            var sent = [try await submit(first(), to: room).id]
            for draft in rest(sent[0]) { sent.append(try await submit(draft, to: room).id) }
            try await store.write { [sent] in try alongside($0, sent) }
            return sent
        }
        do {
            return try await announceAtOnce(first, room, rest, alongside)
        } catch is MembersMissing {
            try await awaitCompletion(of: room)
            return try await announceAtOnce(first, room, rest, alongside)
        }
    }

    private func announceAtOnce(
        _ first: @escaping @Sendable () async throws -> EventDraft, _ room: RoomNumber,
        _ rest: @escaping @Sendable (EventID) -> [EventDraft],
        _ alongside: @escaping @Sendable (StoreWriter, [EventID]) throws -> Void
    ) async throws -> [EventID] {
        // Decided again if another process was faster: the last decision is the one that is stored.
        let decided = Mutex<[EventID]>([])
        return try await lane(room).perform(
            { work in
                if work.view.head.isBlocked { throw MatrixError.roomIsClosed }
                var sent = try await work.send([first()])
                guard let id = sent.first?.id else { throw MatrixError.internalError }
                sent += try await work.send(rest(id))
                let ids = sent.map(\.id)
                decided.withLock { $0 = ids }
                return ids
            }, alongside: { writer, _ in try alongside(writer, decided.withLock { $0 }) })
    }
}
