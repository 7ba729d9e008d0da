import Matrix
import Store
import Synchronization

/// The list of rooms that anyone may find.
///
/// [Published room directory](https://spec.matrix.org/v1.19/client-server-api/#published-room-directory).
public final class PublicRoomsService: Sendable {
    /// The largest page.
    public static let maximumLimit = 500
    /// The page that counts if none is asked for.
    public static let defaultLimit = 100

    private let store: Store
    private let source: any RoomDirectorySource
    private let remote: any RemoteDirectory
    private let serverName: ServerName
    /// What is known of rooms, good as long as they have the state it was taken from. Bounded by the rooms that are listed.
    private let known = Mutex<[RoomNumber: PublicRoom]>([:])

    /// A service.
    public init(
        store: Store, source: any RoomDirectorySource, remote: any RemoteDirectory = NoRemoteDirectory(),
        serverName: ServerName
    ) {
        self.store = store
        self.source = source
        self.remote = remote
        self.serverName = serverName
    }

    /// A page of the directory of another server, as that server wrote it; `nil` if `server` is this one.
    public func remotePage(of server: ServerName?, _ query: PublicRoomsQuery) async throws -> JSON? {
        guard let server, server != serverName else { return nil }
        return try await remote.publicRooms(of: server, query)
    }

    /// A page of this server's directory.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` for a token that is none.
    public func page(_ query: PublicRoomsQuery) async throws -> PublicRoomsPage {
        let token = try query.since.map { try Token($0) }
        let all = try await rooms(of: query)
        let matching = all.filter { query.matches($0) }
        let limit = min(max(query.limit ?? Self.defaultLimit, 1), Self.maximumLimit)
        let range: Range<Int>
        switch token {
        case nil: range = 0..<min(limit, matching.count)
        case .after(let place):
            let start = matching.partitioningIndex { place < $0.place }
            range = start..<min(start + limit, matching.count)
        case .before(let place):
            let end = matching.partitioningIndex { place <= $0.place }
            range = max(0, end - limit)..<end
        }
        let page = matching[range]
        return PublicRoomsPage(
            rooms: Array(page),
            next: range.upperBound < matching.count ? page.last.map { Token.after($0.place).text } : nil,
            previous: range.lowerBound > 0
                ? (page.first ?? matching.last).map { Token.before($0.place).text } : nil,
            total: all.count)
    }

    /// The rooms of the directories that are wanted, in order: the server's own, that of a network, or all.
    private func rooms(of query: PublicRoomsQuery) async throws -> [PublicRoom] {
        let (published, all) = try await rooms()
        if query.includesAllNetworks { return all }
        let wanted: Set<RoomNumber>
        if let instance = query.thirdPartyInstanceID {
            guard let network = AppServiceNetwork(instanceID: instance) else { return [] }
            wanted = try await store.read { try $0.appServices.listedRooms((network.service, network.name)) }
        } else {
            wanted = Set(published.filter(\.isOfServer).map(\.number))
            if wanted.count == all.count { return all }
        }
        return all.filter { wanted.contains($0.number) }
    }

    /// All rooms that are listed, in order.
    private func rooms() async throws -> ([PublishedRoom], [PublicRoom]) {
        let published = try await store.read { try $0.rooms.publishedStates() }
        let before = known.withLock { $0 }
        let stale = published.filter { room in before[room.number].map { $0.state != room.state } ?? true }
        let fresh = try await source.entries(of: stale)
        var rooms: [RoomNumber: PublicRoom] = [:]
        for room in published where before[room.number]?.state == room.state {
            rooms[room.number] = before[room.number]
        }
        for room in fresh { rooms[room.number] = room }
        let result = rooms
        known.withLock { $0 = result }
        return (published, result.values.sorted { $0.precedes($1) })
    }

    /// Where a page begins or ends.
    private enum Token {
        case after(PublicRoomPlace)
        case before(PublicRoomPlace)

        init(_ text: String) throws(MatrixError) {
            let parts = text.split(separator: "_", omittingEmptySubsequences: false)
            guard parts.count == 3, let members = Int(parts[1]), let number = Int64(parts[2]) else {
                throw MatrixError.invalidParameter("since is not a token of this directory")
            }
            let place = PublicRoomPlace(joinedMembers: members, number: RoomNumber(number))
            switch parts[0] {
            case "n": self = .after(place)
            case "p": self = .before(place)
            default: throw MatrixError.invalidParameter("since is not a token of this directory")
            }
        }

        var text: String {
            switch self {
            case .after(let place): "n_\(place.joinedMembers)_\(place.number)"
            case .before(let place): "p_\(place.joinedMembers)_\(place.number)"
            }
        }
    }
}

extension [PublicRoom] {
    /// The first index whose room is in the second part of a list that is parted in two.
    fileprivate func partitioningIndex(_ isInSecondPart: (PublicRoom) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isInSecondPart(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
