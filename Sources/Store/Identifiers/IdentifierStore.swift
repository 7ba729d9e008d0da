import Database
import Matrix
import Synchronization

/// Remembers which number stands for which identifier. What it knows does not change, so it is never wrong, only incomplete; but for rooms
/// that are removed, whose names may come back under another number.
public final class IdentifierCache: Sendable {
    let usersByID = GenerationalCache<UserID, UserNumber>(budget: 100_000)
    let usersByNumber = GenerationalCache<UserNumber, UserID>(budget: 100_000)
    let roomsByID = GenerationalCache<RoomID, RoomNumber>(budget: 50_000)
    let roomsByNumber = GenerationalCache<RoomNumber, RoomID>(budget: 50_000)
    let keysByName = GenerationalCache<StateKey, StateKeyNumber>(budget: 200_000)
    let keysByNumber = GenerationalCache<StateKeyNumber, StateKey>(budget: 200_000)
    /// Rooms that have been removed since the start: as few as administrators asked for.
    private let goneRooms = Mutex<Set<RoomNumber>>([])

    /// Whether a room has been removed since the start.
    func isGone(_ room: RoomNumber) -> Bool { goneRooms.withLock { $0.contains(room) } }

    /// How many rooms have been removed since the start.
    var goneCount: Int { goneRooms.withLock { $0.count } }

    /// Forgets under which number a room was known. Who still has the number can still ask for the name.
    func forget(_ room: RoomID, _ number: RoomNumber) {
        _ = goneRooms.withLock { $0.insert(number) }
        if roomsByID[room] == number { roomsByID.remove(room) }
    }

    func remember(_ user: UserID, _ number: UserNumber) {
        usersByID.insert(user, number)
        usersByNumber.insert(number, user)
    }

    func remember(_ room: RoomID, _ number: RoomNumber) {
        guard !isGone(number) else { return }
        roomsByID.insert(room, number)
        roomsByNumber.insert(number, room)
    }

    func remember(_ key: StateKey, _ number: StateKeyNumber) {
        keysByName.insert(key, number)
        keysByNumber.insert(number, key)
    }
}

/// Look-ups between identifiers and the numbers that stand for them.
public struct IdentifierReader {
    let sql: ReadTransaction
    let cache: IdentifierCache

    /// The number of a user, or `nil` if this server has never heard of them.
    public func number(of user: UserID) throws -> UserNumber? {
        if let number = cache.usersByID[user] { return number }
        let number = try sql.first("SELECT num FROM users WHERE user_id = $1", user) {
            try $0.number(0, as: UserNumber.self)
        }
        if let number { rememberIfCommitted(user, number) }
        return number
    }

    /// The user behind a number.
    public func user(_ number: UserNumber) throws -> UserID {
        if let user = cache.usersByNumber[number] { return user }
        let user = try sql.first("SELECT user_id FROM users WHERE num = $1", number) {
            try $0.identifier(0, as: UserID.self)
        }
        guard let user else { throw StoreError.inconsistent("no user \(number)") }
        rememberIfCommitted(user, number)
        return user
    }

    /// The number of a room, or `nil` if this server does not know it.
    public func number(of room: RoomID) throws -> RoomNumber? {
        if let number = cache.roomsByID[room] { return number }
        let number = try sql.first("SELECT num FROM rooms WHERE room_id = $1", room) {
            try $0.number(0, as: RoomNumber.self)
        }
        if let number, !(sql is WriteTransaction) { cache.remember(room, number) }
        return number
    }

    /// The room behind a number.
    public func room(_ number: RoomNumber) throws -> RoomID {
        if let room = cache.roomsByNumber[number] { return room }
        let room = try sql.first("SELECT room_id FROM rooms WHERE num = $1", number) {
            try $0.identifier(0, as: RoomID.self)
        }
        guard let room else { throw StoreError.inconsistent("no room \(number)") }
        if !(sql is WriteTransaction) { cache.remember(room, number) }
        return room
    }

    /// The number of a type and state key, or `nil` if no event ever had them.
    public func number(of key: StateKey) throws -> StateKeyNumber? {
        if let number = cache.keysByName[key] { return number }
        let number = try sql.first(
            "SELECT num FROM state_keys WHERE type = $1 AND state_key = $2", key.type, key.key
        ) { try $0.number(0, as: StateKeyNumber.self) }
        if let number, !(sql is WriteTransaction) { cache.remember(key, number) }
        return number
    }

    /// The type and state key behind a number.
    public func stateKey(_ number: StateKeyNumber) throws -> StateKey {
        if let key = cache.keysByNumber[number] { return key }
        let key = try sql.first("SELECT type, state_key FROM state_keys WHERE num = $1", number) {
            StateKey(EventType(try $0.text(0)), try $0.text(1))
        }
        guard let key else { throw StoreError.inconsistent("no state key \(number)") }
        if !(sql is WriteTransaction) { cache.remember(key, number) }
        return key
    }

    /// The types and state keys behind numbers.
    public func stateKeys(_ numbers: [StateKeyNumber]) throws -> [StateKeyNumber: StateKey] {
        var found: [StateKeyNumber: StateKey] = [:]
        found.reserveCapacity(numbers.count)
        var missing: [StateKeyNumber] = []
        for number in numbers {
            if let key = cache.keysByNumber[number] { found[number] = key } else { missing.append(number) }
        }
        guard !missing.isEmpty else { return found }
        try sql.forEach("SELECT num, type, state_key FROM state_keys WHERE num IN list($1)", missing.sqlList) { row in
            let number = try row.number(0, as: StateKeyNumber.self)
            let key = StateKey(EventType(try row.text(1)), try row.text(2))
            found[number] = key
            if !(sql is WriteTransaction) { cache.remember(key, number) }
        }
        return found
    }

    /// The numbers of the state keys that events of a type have had anywhere, `limit` of them at the most.
    public func stateKeys(of type: EventType, limit: Int) throws -> [StateKeyNumber] {
        try sql.all("SELECT num FROM state_keys WHERE type = $1 LIMIT $2", type, limit) { try $0.number(0) }
    }

    // Inside a write the row may be one that is rolled back yet.
    private func rememberIfCommitted(_ user: UserID, _ number: UserNumber) {
        if !(sql is WriteTransaction) { cache.remember(user, number) }
    }
}

/// Gives out numbers for identifiers.
public struct IdentifierWriter {
    let writer: StoreWriter

    /// The number of a user, given out now if they had none.
    public func intern(_ user: UserID) throws -> UserNumber {
        if let number = try writer.read.identifiers.number(of: user) { return number }
        let number = UserNumber(try writer.next("user"))
        try writer.sql.execute(
            "INSERT INTO users (num, user_id, server) VALUES ($1, $2, $3)", number, user, user.server
        )
        let cache = writer.store.identifiers
        writer.sql.onCommit { cache.remember(user, number) }
        return number
    }

    /// The number of a type and state key, given out now if they had none.
    public func intern(_ key: StateKey) throws -> StateKeyNumber {
        if let number = try writer.read.identifiers.number(of: key) { return number }
        let number = StateKeyNumber(try writer.next("state_key"))
        try writer.sql.execute(
            "INSERT INTO state_keys (num, type, state_key) VALUES ($1, $2, $3)", number, key.type, key.key
        )
        let cache = writer.store.identifiers
        writer.sql.onCommit { cache.remember(key, number) }
        return number
    }
}

extension StoreReader {
    /// Identifiers and their numbers.
    public var identifiers: IdentifierReader { IdentifierReader(sql: sql, cache: store.identifiers) }
}

extension StoreWriter {
    /// Identifiers and their numbers.
    public var identifiers: IdentifierWriter { IdentifierWriter(writer: self) }
}

extension Store {
    /// The number of a user, given out now if they had none. Durable on return.
    public func intern(_ user: UserID) async throws -> UserNumber {
        if let number = identifiers.usersByID[user] { return number }
        if let number = try await read({ try $0.identifiers.number(of: user) }) { return number }
        return try await write { try $0.identifiers.intern(user) }
    }

    /// The numbers of users, given out now where they had none. Durable on return.
    public func intern(_ users: [UserID]) async throws -> [UserNumber] {
        let known = users.map { identifiers.usersByID[$0] }
        if !known.contains(where: { $0 == nil }) { return known.compactMap { $0 } }
        return try await write { writer in try users.map { try writer.identifiers.intern($0) } }
    }

    /// The type and state key behind a number.
    public func stateKey(_ number: StateKeyNumber) async throws -> StateKey {
        if let key = identifiers.keysByNumber[number] { return key }
        return try await read { try $0.identifiers.stateKey(number) }
    }

    /// The numbers of types and state keys, given out now where they had none. Durable on return.
    public func intern(_ keys: [StateKey]) async throws -> [StateKeyNumber] {
        let known = keys.map { identifiers.keysByName[$0] }
        if !known.contains(where: { $0 == nil }) { return known.compactMap { $0 } }
        return try await write { writer in try keys.map { try writer.identifiers.intern($0) } }
    }

    /// The number of a user, or `nil` if this server has never heard of them.
    public func number(of user: UserID) async throws -> UserNumber? {
        if let number = identifiers.usersByID[user] { return number }
        return try await read { try $0.identifiers.number(of: user) }
    }

    /// The number of a room, or `nil` if this server does not know it.
    public func number(of room: RoomID) async throws -> RoomNumber? {
        if let number = identifiers.roomsByID[room] { return number }
        return try await read { try $0.identifiers.number(of: room) }
    }

    /// The number of a type and state key, or `nil` if no event ever had them.
    public func number(of key: StateKey) async throws -> StateKeyNumber? {
        if let number = identifiers.keysByName[key] { return number }
        return try await read { try $0.identifiers.number(of: key) }
    }

    /// The user behind a number.
    public func user(_ number: UserNumber) async throws -> UserID {
        if let user = identifiers.usersByNumber[number] { return user }
        return try await read { try $0.identifiers.user(number) }
    }

    /// The room behind a number.
    public func room(_ number: RoomNumber) async throws -> RoomID {
        if let room = identifiers.roomsByNumber[number] { return room }
        return try await read { try $0.identifiers.room(number) }
    }
}
