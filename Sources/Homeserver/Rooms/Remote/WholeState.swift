import Matrix
import RoomEngine
import Store

/// A request for the state before an event that is on its way while what is known already is taken in.
struct EarlyStateRequest: Sendable {
    typealias Answer = (state: [[UInt8]], authChain: [[UInt8]])

    /// The event.
    let event: EventID
    private let task: Task<Answer, any Error>

    /// Begins to ask a server.
    init(before event: EventID, in room: RoomID, at server: ServerName, _ remote: any RemoteRooms) {
        self.event = event
        task = Task { try await remote.state(before: event, in: room, at: server) }
    }

    /// What the server says.
    var answer: Answer { get async throws { try await task.value } }

    /// Nobody wants to know any more.
    func cancel() { task.cancel() }
}

extension MissingEventsFetcher {
    /// The state before an event, of which most is not known yet: the server is not asked first which events these are.
    ///
    /// - Parameter asked: What the server has been asked already.
    /// - Returns: The state; `nil` if the server does not have all of it.
    /// - Throws: ``OutOfReach`` if it cannot be reached.
    func wholeState(
        before event: EventID, of room: RoomHead, from server: ServerName, asked: EarlyStateRequest? = nil
    ) async throws -> StateMap? {
        guard let id = room.id else { return nil }
        let whole: EarlyStateRequest.Answer
        do {
            if let asked, asked.event == event {
                whole = try await asked.answer
            } else {
                whole = try await remote.state(before: event, in: id, at: server)
            }
        } catch is RemoteServerFailure {
            // One that does not give all of it at once may do so in parts.
            return try await state(before: event, of: room, from: server)
        }
        let map = try await StateImport(services: services, checker: checker)(
            state: whole.state, authChain: whole.authChain, room: id, version: room.version, number: room.number)
        return map.isEmpty ? nil : map
    }
}
