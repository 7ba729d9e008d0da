import Matrix
import Store

/// Makes of a user's stored push rules what clients are told under `m.push_rules`: theirs and the server's defaults in one.
public protocol PushRulesRendering: Sendable {
    /// The content of `m.push_rules`.
    ///
    /// - Parameters:
    ///   - stored: What the user has changed; `nil` if nothing.
    ///   - user: Whose.
    func render(_ stored: [UInt8]?, for user: UserID) throws -> [UInt8]
}

/// What users keep on the server for their clients, globally and per room.
///
/// [Client config](https://spec.matrix.org/v1.19/client-server-api/#client-config).
public final class AccountDataService: Sendable {
    /// The longest content, in bytes.
    public static let maximumContentBytes = 262_144
    /// The longest type, in bytes.
    public static let maximumTypeBytes = 255
    /// How many items a user may keep.
    public static let maximumItems = 20_000

    let store: Store
    private let pushRules: any PushRulesRendering

    /// A service.
    ///
    /// - Parameters:
    ///   - store: Where items are kept.
    ///   - pushRules: Completes `m.push_rules`.
    public init(store: Store, pushRules: any PushRulesRendering) {
        self.store = store
        self.pushRules = pushRules
    }

    /// The content of an item.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if there is none, or the room is unknown here.
    public func content(of user: UserID, room: RoomID? = nil, type: String) async throws -> [UInt8] {
        let number = try await store.intern(user)
        let room = try await known(room)
        let item = try await store.read { try $0.accountData.item(of: number, room: room, type: type) }
        if room == nil, ExactString(type) == ExactString(AccountDataType.pushRules) {
            return try pushRules.render(item?.data.content, for: user)
        }
        guard let item, !item.isDeleted else { throw MatrixError.notFound("There is no account data of this type") }
        return item.data.content
    }

    /// Sets an item as its owner asks.
    ///
    /// - Throws: 405 `M_BAD_JSON` for what only the server sets; 404 if the room is unknown here; 413; 400.
    public func set(_ content: JSON, of user: UserID, room: RoomID? = nil, type: String) async throws {
        guard content.isObject else { throw MatrixError.badJSON("Account data must be a JSON object") }
        let content = Array(content.bytes)
        guard content.count <= Self.maximumContentBytes else {
            throw MatrixError(413, .tooLarge, "An item may have \(Self.maximumContentBytes) bytes at most")
        }
        try await write(content, of: user, room: room, type: type, deleted: false)
    }

    /// Deletes an item as its owner asks; clients are told of it as an empty content. Deleting what is not there changes nothing.
    ///
    /// - Throws: 405 `M_BAD_JSON` for what only the server sets; 404 if the room is unknown here.
    public func delete(of user: UserID, room: RoomID? = nil, type: String) async throws {
        try await write(Array("{}".utf8), of: user, room: room, type: type, deleted: true)
    }

    // MARK: For sync

    /// All that a user keeps, globally and per room, as clients are told of it.
    public func all(of user: UserID, number: UserNumber, in reader: StoreReader) throws -> [AccountDataRecord] {
        var items = try reader.accountData.items(of: number).map { try rendered($0.data, for: user) }
        if !items.contains(where: Self.isPushRules) {
            items.append(
                AccountDataRecord(
                    user: number, room: nil, type: AccountDataType.pushRules,
                    content: try pushRules.render(nil, for: user)))
        }
        return items
    }

    /// What a user keeps for a room, as clients are told of it.
    public func all(of user: UserNumber, room: RoomNumber, in reader: StoreReader) throws -> [AccountDataRecord] {
        try reader.accountData.items(of: user, room: room).map(\.data)
    }

    /// What a user changed in a stretch of the journal, oldest first; what was deleted has the content `{}`.
    public func changed(
        of user: UserID, number: UserNumber, after: StreamPosition, through: StreamPosition, in reader: StoreReader
    ) throws -> [AccountDataRecord] {
        try reader.accountData.changed(of: number, after: after, through: through).map {
            try rendered($0.data, for: user)
        }
    }

    // MARK: -

    private static func isPushRules(_ data: AccountDataRecord) -> Bool {
        data.room == nil && ExactString(data.type) == ExactString(AccountDataType.pushRules)
    }

    private func rendered(_ data: AccountDataRecord, for user: UserID) throws -> AccountDataRecord {
        guard Self.isPushRules(data) else { return data }
        return AccountDataRecord(
            user: data.user, room: nil, type: data.type, content: try pushRules.render(data.content, for: user))
    }

    private func write(_ content: [UInt8], of user: UserID, room: RoomID?, type: String, deleted: Bool) async throws {
        guard !AccountDataType.isServerManaged(type) else {
            throw MatrixError(405, .badJSON, "\(type) cannot be changed through this API")
        }
        guard (1...Self.maximumTypeBytes).contains(type.utf8.count), !type.utf8.contains(0) else {
            throw MatrixError.invalidParameter("A type has 1 to \(Self.maximumTypeBytes) bytes")
        }
        let number = try await store.intern(user)
        let room = try await known(room)
        try await store.write { writer in
            let current = try writer.read.accountData.item(of: number, room: room, type: type)
            if current?.isDeleted ?? true {
                if deleted { return }
                guard try writer.read.accountData.usage(of: number).count < Self.maximumItems else {
                    throw MatrixError(
                        400, .resourceLimitExceeded, "An account may keep \(Self.maximumItems) items at most")
                }
            }
            // A client that saves what is there already wakes nobody.
            if let current, !current.isDeleted, !deleted, current.data.content == content { return }
            try writer.accountData.set(
                AccountDataRecord(user: number, room: room, type: type, content: content), deleted: deleted)
        }
    }

    func known(_ room: RoomID?) async throws -> RoomNumber? {
        guard let room else { return nil }
        guard let number = try await store.number(of: room) else {
            throw MatrixError.notFound("This room is not known here")
        }
        return number
    }
}
