import Matrix
import Store

/// Where a walk through a space stands. A value: the same token leads to the same page again.
struct SpaceWalk: Sendable {
    /// A room that is to be looked at.
    struct Step: Sendable {
        let room: RoomID
        let via: [ServerName]
        let depth: Int
    }

    let user: UserNumber
    let root: RoomID
    let suggestedOnly: Bool
    let maximumDepth: Int
    /// What is still to be looked at, the next one last.
    var steps: [Step]
    /// What has been looked at.
    var seen: Set<RoomID> = []
    /// Rooms on other servers: what is told of them, or `nil` where nothing could be had.
    var known: [RoomID: SpaceRoom?] = [:]

    /// Rooms that one walk comes to at the most.
    static let maximumRooms = 10_000
}

extension SpaceHierarchy {
    /// A page of a hierarchy.
    public struct Page: Sendable {
        /// The rooms.
        public let rooms: [SpaceRoom]
        /// Where the next page begins; `nil` if there is none.
        public let next: String?
    }

    /// What is wanted of a space.
    public struct Query: Sendable {
        /// The space.
        public let room: RoomID
        /// Whether only rooms are wanted that the spaces suggest.
        public let suggestedOnly: Bool
        /// How many rooms at the most.
        public let limit: Int
        /// How deep.
        public let maximumDepth: Int
        /// Whether an administrator asks: of the rooms that this server is in they see all, and no other server is asked.
        public let isInspection: Bool

        /// A query, within the server's own bounds.
        public init(
            room: RoomID, suggestedOnly: Bool, limit: Int?, maximumDepth: Int?, isInspection: Bool = false
        ) {
            self.room = room
            self.suggestedOnly = suggestedOnly
            self.isInspection = isInspection
            self.limit = min(limit ?? Self.maximumLimit, Self.maximumLimit)
            self.maximumDepth = min(maximumDepth ?? Self.defaultDepth, Self.maximumDepth)
        }

        private static let maximumLimit = 50
        private static let defaultDepth = 10
        private static let maximumDepth = 50
    }

    /// Rooms of one page that other servers are asked about, and how long they are waited for.
    private static let maximumAsked = 20
    private static let patienceMilliseconds: Int64 = 10_000

    /// A page of what is in a space, depth first.
    ///
    /// [GET /rooms/{roomId}/hierarchy](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy)
    ///
    /// - Parameter from: Where the page before ended.
    /// - Throws: 403 `M_FORBIDDEN` if the user may not see the space, or there is none; 400 `M_INVALID_PARAM` for a token that is not
    ///   one of this walk.
    public func page(_ query: Query, from token: String?, by user: Requester) async throws -> Page {
        var walk = try walk(query, token, user)
        var rooms: [SpaceRoom] = []
        var asked = query.isInspection ? Self.maximumAsked : 0
        while rooms.count < query.limit, let step = walk.steps.popLast() {
            guard walk.seen.count < SpaceWalk.maximumRooms, walk.seen.insert(step.room).inserted else { continue }
            let found = try await summary(of: step, &walk, &asked)
            var isShown = query.isInspection
            if !isShown, let found { isShown = try await isVisible(found, to: user) }
            guard let summary = found, isShown else {
                if step.depth == 0 { throw MatrixError.forbidden("You may not see this room") }
                continue
            }
            rooms.append(summary)
            guard step.depth < walk.maximumDepth else { continue }
            let children = summary.children(suggestedOnly: query.suggestedOnly).filter { !walk.seen.contains($0.room) }
            await lookAhead(children, for: query.limit - rooms.count, &walk, &asked)
            walk.steps += children.reversed().map {
                SpaceWalk.Step(room: $0.room, via: $0.via, depth: step.depth + 1)
            }
        }
        walk.steps.removeAll { walk.seen.contains($0.room) }
        guard !walk.steps.isEmpty, walk.seen.count < SpaceWalk.maximumRooms else {
            return Page(rooms: rooms, next: nil)
        }
        let next = randomness.text(24)
        walks.insert(ExactString(next), walk, cost: 1 + walk.steps.count + walk.seen.count)
        return Page(rooms: rooms, next: next)
    }

    private func walk(_ query: Query, _ token: String?, _ user: Requester) throws -> SpaceWalk {
        guard let token else {
            let start = SpaceWalk.Step(
                room: query.room, via: query.room.server.map { [$0] } ?? [], depth: 0)
            return SpaceWalk(
                user: user.number, root: query.room, suggestedOnly: query.suggestedOnly,
                maximumDepth: query.maximumDepth, steps: [start])
        }
        guard let walk = walks[ExactString(token)], walk.user == user.number, walk.root == query.room else {
            throw MatrixError.invalidParameter("from is unknown: begin anew")
        }
        guard walk.suggestedOnly == query.suggestedOnly, walk.maximumDepth == query.maximumDepth else {
            throw MatrixError.invalidParameter("suggested_only and max_depth must stay as they were")
        }
        return walk
    }

    /// What is told of a room: what this server knows, if it is in the room, and otherwise what others say.
    private func summary(
        of step: SpaceWalk.Step, _ walk: inout SpaceWalk, _ asked: inout Int
    ) async throws -> SpaceRoom? {
        if let (_, summary) = try await localSummary(of: step.room) { return summary }
        if let known = walk.known[step.room] {
            guard let known else { return nil }
            // Of a space one has to know what is in it.
            if !known.isSpace || known.children != nil || step.depth >= walk.maximumDepth { return known }
        }
        guard asked < Self.maximumAsked else { return walk.known[step.room] ?? nil }
        asked += 1
        await ask([(step.room, step.via)], &walk)
        return walk.known[step.room] ?? nil
    }

    /// Asks about some of the rooms that come next at the same time.
    private func lookAhead(
        _ children: [SpaceChild], for count: Int, _ walk: inout SpaceWalk, _ asked: inout Int
    ) async {
        var wanted: [(RoomID, [ServerName])] = []
        for child in children.prefix(max(count, 0)) where walk.known[child.room] == nil {
            guard asked < Self.maximumAsked else { break }
            do {
                if let number = try await store.number(of: child.room), try await rooms.participates(in: number) {
                    continue
                }
            } catch { return }
            asked += 1
            wanted.append((child.room, child.via))
        }
        await ask(wanted, &walk)
    }

    private func ask(_ wanted: [(RoomID, [ServerName])], _ walk: inout SpaceWalk) async {
        guard !wanted.isEmpty else { return }
        let suggestedOnly = walk.suggestedOnly
        let answers = await mapConcurrently(wanted, limit: 10) { [self] room, via -> (RoomID, RemoteSpace?) in
            let answer = await scheduler.within(milliseconds: Self.patienceMilliseconds) {
                await self.remoteSpace(room, via: via, suggestedOnly: suggestedOnly)
            }
            return (room, answer ?? nil)
        }
        for (room, answer) in answers {
            // Nothing could be had: that stays so for this walk.
            walk.known.updateValue(answer?.room ?? (walk.known[room] ?? nil), forKey: room)
            guard let answer else { continue }
            for child in answer.children where walk.known[child.room] == nil {
                guard walk.known.count < SpaceWalk.maximumRooms else { break }
                walk.known.updateValue(child, forKey: child.room)
            }
            for room in answer.inaccessible where walk.known[room] == nil { walk.known.updateValue(nil, forKey: room) }
        }
    }
}
