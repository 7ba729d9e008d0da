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
    private struct State {
        var running: [RoomNumber: Task<Bool, Never>] = [:]
        /// How often each room could not be completed.
        var failures: [RoomNumber: Int] = [:]
        /// Rooms for which the next attempt is on its way.
        var due: Set<RoomNumber> = []
    }

    private let state = Mutex(State())

    /// Servers that are asked.
    private static let maximumServers = 10
    /// After how long they are asked again, in milliseconds: first, and at the most.
    private static let pauseMilliseconds: ClosedRange<Int64> = 2_000...600_000
    /// How often they are asked, over more than an hour, about a room in which this server is not any more.
    private static let maximumAttempts = 16

    /// Completes a room; of those who ask at the same time one does it.
    ///
    /// - Parameter rest: What the server through which the room was entered has been asked for already.
    /// - Returns: Whether all of the room is known now.
    func complete(_ room: RoomNumber, _ rooms: RoomService, rest: EarlyStateRequest? = nil) async -> Bool {
        let task = state.withLock { state in
            if let task = state.running[room] { return task }
            let task = Task { [self] in await work(on: room, rooms, rest) }
            state.running[room] = task
            return task
        }
        return await task.value
    }

    private func work(on room: RoomNumber, _ rooms: RoomService, _ rest: EarlyStateRequest?) async -> Bool {
        let isDone = await ask(about: room, rooms, rest)
        let isInside = (try? await rooms.participates(in: room)) ?? true
        let (isHopeless, pause) = state.withLock { state -> (Bool, Int64?) in
            state.running[room] = nil
            let failures = state.failures[room, default: 0]
            let isHopeless = !isDone && !isInside && failures + 1 >= Self.maximumAttempts
            state.failures[room] = isDone || isHopeless ? nil : failures + 1
            // Whoever waits for the room has it tried beside the attempts that come by themselves.
            guard !isDone, !isHopeless, state.due.insert(room).inserted else { return (isHopeless, nil) }
            return (
                false,
                min(Self.pauseMilliseconds.upperBound, Self.pauseMilliseconds.lowerBound << min(failures, 10))
            )
        }
        if isHopeless {
            rooms.services.logger.notice(
                "a room was left before all of it was known, and nobody gives the rest", metadata: ["room": "\(room)"])
        }
        if let pause {
            rooms.federation?.scheduler.after(milliseconds: pause) { [weak rooms] in
                guard let rooms else { return }
                rooms.partialRooms.state.withLock { _ = $0.due.remove(room) }
                Task { _ = await rooms.partialRooms.complete(room, rooms) }
            }
        }
        return isDone
    }

    /// Asks the servers in a room, one after the other.
    private func ask(about room: RoomNumber, _ rooms: RoomService, _ rest: EarlyStateRequest?) async -> Bool {
        guard let partial = rooms.store.partialJoin(of: room) else { return true }
        let others = partial.servers.filter { $0 != partial.via && $0 != rooms.serverName }
        for server in ([partial.via] + others).prefix(Self.maximumServers) {
            do {
                let asked = server == partial.via ? rest : nil
                if try await rooms.completeState(partial, from: server, asked) { return true }
            } catch {
                rooms.services.logger.warning(
                    "the memberships of a room cannot be had yet",
                    metadata: ["room": "\(room)", "server": "\(server)", "error": "\(error)"])
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
    fileprivate func completeState(
        _ partial: PartialJoin, from server: ServerName, _ asked: EarlyStateRequest?
    ) async throws -> Bool {
        let federation = try requireFederation()
        let lane = lane(partial.room)
        guard let head = try await lane.head(), let join = try await store.event(partial.event) else { return true }
        let fetcher = MissingEventsFetcher(services: services, remote: federation.remote, checker: federation.checker)
        guard
            let state = try await fetcher.wholeState(before: join.event.eventID, of: head, from: server, asked: asked)
        else { return false }
        let room = partial.room
        // Alone, because only what is stored is worked out anew.
        try await lane.perform(isAlone: true) { [self] work in
            // Another attempt may have been faster, or this server has come in anew.
            guard store.partialJoin(of: room)?.event == partial.event else { return }
            let later = try await store.read { try $0.events.graph(of: room, receivedSince: join.receivedTimestamp) }
            try await work.complete(join, stateBefore: state, later: later)
        } alongside: { writer, number in
            guard try writer.read.graph.partialJoin(number)?.event == partial.event else { return }
            try writer.graph.setComplete(number)
        }
        services.logger.info(
            "all of a room is known", metadata: ["room": "\(head.id?.string ?? "")", "server": "\(server)"])
        return true
    }
}
