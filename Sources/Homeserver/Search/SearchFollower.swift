import Matrix
import Store

/// Takes in from the journal what can be searched for: messages, names and topics of rooms that are not encrypted.
public struct SearchFollower: JournalFollower {
    private let rooms: RoomService

    private var store: Store { rooms.store }

    private static let backlogAtOnce = 100

    /// - Parameter rooms: Knows the rooms.
    public init(rooms: RoomService) { self.rooms = rooms }

    /// Takes in history.
    public func followUp() async throws -> Bool {
        let numbers = try await store.read { try $0.search.backlog(limit: Self.backlogAtOnce) }
        guard !numbers.isEmpty else { return false }
        let change = try await change(numbers)
        try await store.write { writer in
            try change?(writer)
            try writer.search.removeBacklog(numbers)
        }
        return numbers.count == Self.backlogAtOnce
    }

    /// Takes in what has been said.
    public func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
        try await change(
            rows.compactMap { row in if case .event(let number, _) = row.subject { number } else { nil } })
    }

    private func change(_ numbers: [EventNumber]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
        let events = try await store.events(numbers)
        var found: [StoredEvent] = []
        var encrypted: [RoomNumber: Bool] = [:]
        for event in numbers.compactMap({ events[$0] }) where SearchKey.text(of: event.event) != nil {
            if encrypted[event.room] == nil { encrypted[event.room] = try await isEncrypted(event.room) }
            if encrypted[event.room] == false { found.append(event) }
        }
        guard !found.isEmpty else { return nil }
        let texts = found
        return { writer in for event in texts { try writer.search.add(event) } }
    }

    private func isEncrypted(_ room: RoomNumber) async throws -> Bool {
        do {
            return try await rooms.view(room).event(StateKey(.encryption)) != nil
        } catch let error as MatrixError where error.status == 404 {
            return true
        }
    }
}
