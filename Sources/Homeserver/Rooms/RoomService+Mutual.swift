import Matrix
import Store

extension RoomService {
    private static let mutualRoomsAtOnce = 100

    /// Rooms that a user and another are in.
    ///
    /// [GET /mutual_rooms](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms)
    ///
    /// - Parameter token: Where the page before ended.
    /// - Returns: A page of them, how many there are, and where the next page begins.
    /// - Throws: 400 `M_INVALID_PARAM` for oneself, for an identifier that is no longer given out, and for a token that is none of ours.
    public func mutualRooms(
        with other: UserID, from token: String?, by user: Requester
    ) async throws -> (rooms: [RoomID], count: Int, next: String?) {
        guard other != user.id else { throw MatrixError.invalidParameter("You are in all of your rooms") }
        guard other.isStrict else { throw MatrixError.invalidParameter("user_id breaks the grammar of user IDs") }
        var after = RoomNumber(Int64.min)
        if let token {
            guard let number = Int64(token) else { throw MatrixError.invalidParameter("from is unknown: begin anew") }
            after = RoomNumber(number)
        }
        guard let number = try await store.number(of: other) else { return ([], 0, nil) }
        let start = after
        return try await store.read { reader in
            let limit = Self.mutualRoomsAtOnce
            let page = try reader.memberships.mutualRooms(of: user.number, number, after: start, limit: limit + 1)
            let rooms = page.prefix(limit)
            return (
                try rooms.map { try reader.identifiers.room($0) },
                try reader.memberships.mutualRoomCount(of: user.number, number),
                page.count > limit ? rooms.last.map { "\($0.rawValue)" } : nil
            )
        }
    }
}
