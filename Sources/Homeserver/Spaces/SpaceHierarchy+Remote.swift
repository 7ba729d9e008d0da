import Matrix
import Store

/// Which space other servers are asked about.
struct RemoteSpaceKey: Hashable, Sendable {
    let room: RoomID
    let suggestedOnly: Bool
}

/// What another server tells of a space.
struct RemoteSpace: Sendable {
    let room: SpaceRoom
    let children: [SpaceRoom]
    let inaccessible: [RoomID]
    /// When it was told, in milliseconds since 1970.
    let time: Int64

    private static let maximumChildren = 1_000

    /// Reads an answer; `nil` if it is not understood.
    init?(_ body: JSON, about room: RoomID, time: Int64) {
        guard let summary = body["room"].flatMap({ SpaceRoom($0) }), summary.room == room else { return nil }
        self.room = summary
        self.time = time
        let named = Set((summary.children ?? []).map(\.room))
        func elements(_ name: String) -> PrefixSequence<JSON.Elements> {
            (body[name]?.elements ?? JSON.emptyObject.elements).prefix(Self.maximumChildren)
        }
        // Nobody speaks for rooms that are not in the space.
        children = elements("children").compactMap { SpaceRoom($0) }.filter { named.contains($0.room) }
        inaccessible = elements("inaccessible_children").compactMap { $0.string.flatMap { RoomID($0) } }
            .filter { named.contains($0) }
    }
}

extension SpaceHierarchy {
    /// Servers that are asked about a room before giving up.
    private static let maximumServers = 3
    /// How long an answer counts, in milliseconds.
    private static let lifetimeMilliseconds: Int64 = 300_000

    /// What other servers tell of a space; `nil` if nobody does.
    func remoteSpace(_ room: RoomID, via: [ServerName], suggestedOnly: Bool) async -> RemoteSpace? {
        guard let remote else { return nil }
        let key = RemoteSpaceKey(room: room, suggestedOnly: suggestedOnly)
        if let known = answers[key], clock.now < known.time + Self.lifetimeMilliseconds { return known }
        let own = rooms.serverName
        let servers = Array(via.filter { $0 != own }.prefix(Self.maximumServers))
        let found = try? await flights.run(key) { [self] in
            for server in servers {
                do throws(RemoteServerFailure) {
                    let body = try await remote.hierarchy(of: room, suggestedOnly: suggestedOnly, at: server)
                    if let space = RemoteSpace(body, about: room, time: clock.now) {
                        answers.insert(key, space, cost: 1 + space.children.count)
                        return space
                    }
                } catch {
                    logger.info(
                        "a room of a space cannot be had",
                        metadata: ["room": "\(room)", "server": "\(server)", "error": "\(error.message)"])
                }
            }
            return nil
        }
        return found ?? nil
    }
}
