import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Rooms that this server is in before it knows all of their memberships: it asks for them while its users read and write already.
///
/// [send_join](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid) with `omit_members`,
/// [MSC3706](https://github.com/matrix-org/matrix-spec-proposals/pull/3706).
final class PartialRooms: Sendable {
    private let running = Mutex<[RoomNumber: Task<Bool, Never>]>([:])

    /// How often the servers of a room are asked in vain before whoever waits is told so.
    private static let attempts = 3
    /// Servers that are asked.
    private static let maximumServers = 10

    /// Completes a room; of those who ask at the same time one does it.
    ///
    /// - Returns: Whether all of the room is known now.
    func complete(_ room: RoomNumber, _ rooms: RoomService) async -> Bool {
        let task = running.withLock { tasks in
            if let task = tasks[room] { return task }
            let task = Task { [self] in
                let done = await work(on: room, rooms)
                running.withLock { $0[room] = nil }
                return done
            }
            tasks[room] = task
            return task
        }
        return await task.value
    }

    private func work(on room: RoomNumber, _ rooms: RoomService) async -> Bool {
        for _ in 0..<Self.attempts {
            guard let partial = rooms.store.partialJoin(of: room) else { return true }
            for server in ([partial.via] + partial.servers).prefix(Self.maximumServers) where server != rooms.serverName
            {
                do {
                    if try await rooms.completeState(partial, from: server) { return true }
                } catch {
                    rooms.services.logger.warning(
                        "the memberships of a room cannot be had yet",
                        metadata: ["room": "\(room)", "server": "\(server)", "error": "\(error)"])
                }
            }
        }
        return rooms.store.partialJoin(of: room) == nil
    }
}

extension RoomService {
    /// Goes on completing the rooms that were entered before the server stopped.
    public func resumePartialJoins() {
        for room in store.partialRooms { Task { _ = await partialRooms.complete(room, self) } }
    }

    /// Waits until all memberships of a room are known.
    ///
    /// - Throws: 503 if they cannot be had.
    func awaitCompletion(of room: RoomNumber) async throws {
        guard store.partialJoin(of: room) != nil else { return }
        guard await partialRooms.complete(room, self) else {
            throw MatrixError.unavailable("The room's members are not all known yet; try again")
        }
    }

    /// Asks a server for the whole state with which a room was entered, and takes it over.
    ///
    /// - Returns: Whether it gave one.
    fileprivate func completeState(_ partial: PartialJoin, from server: ServerName) async throws -> Bool {
        let federation = try requireFederation()
        let lane = lane(partial.room)
        guard let head = try await lane.head(), let join = try await store.event(partial.event) else { return true }
        let fetcher = MissingEventsFetcher(services: services, remote: federation.remote, checker: federation.checker)
        guard let state = try await fetcher.state(before: join.event.eventID, of: head, from: server) else {
            return false
        }
        let room = partial.room
        try await lane.perform { [self] work in
            // Another attempt may have been faster.
            guard store.partialJoin(of: room) != nil else { return }
            let later = try await store.read { try $0.events.graph(of: room, receivedSince: join.receivedTimestamp) }
            try await work.complete(join, stateBefore: state, later: later)
        } alongside: { writer, number in
            try writer.graph.setComplete(number)
        }
        services.logger.info(
            "all of a room is known", metadata: ["room": "\(head.id?.string ?? "")", "server": "\(server)"])
        return true
    }
}
