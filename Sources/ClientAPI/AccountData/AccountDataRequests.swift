import Homeserver
import Matrix
import Web

/// The user whose data a request is about, who can only be the caller.
struct OwnerPath: Sendable {
    let user: UserID

    /// Reads `userId` from the path.
    init(from input: RequestInput) throws { user = try input.path("userId") }

    /// The owner, if the caller is.
    ///
    /// - Throws: 403 `M_FORBIDDEN`.
    func checked(_ caller: Caller) throws(MatrixError) -> UserID {
        guard user == caller.userID else { throw .forbidden("This belongs to another user") }
        return user
    }
}

/// The path of an item of account data, global or of a room.
struct AccountDataRequest: RequestDecodable {
    let owner: OwnerPath
    let room: RoomID?
    let type: String

    init(from input: RequestInput) throws {
        owner = try OwnerPath(from: input)
        room = input.request.pathParameters["roomId"] == nil ? nil : try input.path("roomId") as RoomID
        type = try input.path("type")
    }
}

/// A JSON object that is ready to be sent.
struct RawObject: ResponseEncodable {
    let bytes: [UInt8]

    func encode(into encoder: inout ResponseEncoder) { encoder.json.writeRaw(bytes) }
}
