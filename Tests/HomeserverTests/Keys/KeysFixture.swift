import Database
import Homeserver
import Matrix
import Store
import Synchronization
import TestSupport
import Testing

/// A store on an engine, with the services of end-to-end encryption over it.
struct KeysFixture: Sendable {
    static let serverName = ServerName(trusted: "here.example")

    let store: Store
    let clock = KeysClock()
    let remote = ScriptedServers()
    let authorization = CountingAuthorization()
    let keys: KeyService
    let crossSigning: CrossSigningService
    let backups: KeyBackupService
    let toDevice: ToDeviceService
    let inboxes: ToDeviceInboxes
    let deviceLists: DeviceListService

    init(_ store: Store) {
        self.store = store
        keys = KeyService(
            store: store, serverName: Self.serverName, clock: clock, remote: remote, counts: KeyCounts(store: store)
        )
        crossSigning = CrossSigningService(
            store: store, serverName: Self.serverName, remote: remote, authorization: authorization
        )
        backups = KeyBackupService(store: store)
        toDevice = ToDeviceService(store: store, serverName: Self.serverName, clock: clock, outbox: nil)
        inboxes = ToDeviceInboxes(store: store)
        deviceLists = DeviceListService(store: store)
    }

    /// Runs a test on every engine, each time on an empty store.
    static func onEachEngine(_ body: (KeysFixture) async throws -> Void) async throws {
        try await withEachEngine { database in
            try await body(KeysFixture(try await Store.open(database, cacheBytes: 1 << 20)))
        }
    }

    /// Makes an account with devices.
    func user(_ name: String, devices: [String] = ["DEVICE"]) async throws -> KeyUser {
        let id = try #require(UserID("@\(name):here.example"))
        let devices = try devices.map { try #require(DeviceID($0)) }
        return try await store.write { writer in
            let number = try writer.accounts.insert(
                id, passwordHash: nil, flags: [], appService: nil, createdAt: 0
            )
            guard let number else { throw KeysFixtureError() }
            for device in devices {
                _ = try writer.devices.insert(device, of: number, displayName: nil, createdAt: 0)
            }
            return KeyUser(number: number, id: id, devices: devices)
        }
    }

    /// Has users join a new room.
    @discardableResult
    func room(_ users: [KeyUser]) async throws -> RoomNumber {
        let id = try #require(RoomID("!\(clock.tick()):here.example"))
        let version = try #require(RoomVersion(id: "12"))
        return try await store.write { writer in
            let room = RoomNumber(try writer.journal.append(.presence(users[0].number)).rawValue)
            try writer.rooms.insert(room, id, version: version)
            for user in users { try Self.set(.join, user, room, writer) }
            return room
        }
    }

    /// Changes a user's membership of a room.
    func set(_ membership: Membership, of user: KeyUser, in room: RoomNumber) async throws {
        try await store.write { try Self.set(membership, user, room, $0) }
    }

    private static func set(
        _ membership: Membership, _ user: KeyUser, _ room: RoomNumber, _ writer: StoreWriter
    ) throws {
        // Any entry will do: only its position counts here.
        let position = try writer.journal.append(.presence(user.number))
        try writer.memberships.set(
            membership, of: user.number, in: room, event: EventNumber(position.rawValue), position: position
        )
    }

    /// Publishes keys of a user's device.
    @discardableResult
    func upload(
        _ user: KeyUser, device: Int = 0, deviceKeys: JSONValue? = nil, oneTime: JSONValue? = nil,
        fallback: JSONValue? = nil
    ) async throws -> [KeyAlgorithm: Int] {
        let upload = try KeyUpload(
            deviceKeys: deviceKeys?.json, oneTimeKeys: oneTime?.json, fallbackKeys: fallback?.json)
        return try await keys.upload(upload, user: user.number, userID: user.id, device: user.devices[device])
    }

    /// Who of all users is in `changed`, as a sync from one position to the journal's end has it.
    func changed(for user: KeyUser, after position: StreamPosition) async throws -> [UserNumber] {
        try await deviceLists.changed(for: user.number, after: position, through: store.journal.end)
    }
}

/// A user of the fixture.
struct KeyUser: Sendable {
    let number: UserNumber
    let id: UserID
    let devices: [DeviceID]

    /// Identity keys of a device, signed by it.
    func deviceKeys(_ device: Int = 0, key: ClientKey, extra: JSONObject = [:]) -> JSONValue {
        let name = devices[device].string
        var keys: JSONValue = [
            "user_id": .string(id.string), "device_id": .string(name),
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": .object([
                "curve25519:\(name)": "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
                "ed25519:\(name)": .string(key.publicKey),
            ]),
        ]
        for member in extra.members { keys[member.name.string] = member.value }
        return key.sign(keys, as: id, keyName: name)
    }

    /// A cross-signing key, signed by `master` if one is given.
    func crossSigningKey(_ usage: String, _ key: ClientKey, master: ClientKey? = nil) -> JSONValue {
        let json: JSONValue = [
            "user_id": .string(id.string), "usage": [.string(usage)],
            "keys": .object(["ed25519:\(key.publicKey)": .string(key.publicKey)]),
        ]
        return master.map { $0.sign(json, as: id) } ?? json
    }
}

/// An Ed25519 key of a client.
struct ClientKey: Sendable {
    private let key: SigningKey

    init(_ seed: UInt8) {
        guard let key = SigningKey(seed: [UInt8](repeating: seed, count: 32), version: "test") else {
            fatalError("32 bytes are a seed")
        }
        self.key = key
    }

    /// The public half, unpadded Base64.
    var publicKey: String { key.publicKey.base64 }

    /// The signature of an object's canonical text.
    func signature(of json: JSONValue) -> String {
        guard let signature = try? key.sign(JSONSigning.signedText(of: json.json)) else { return "" }
        return Base64.encode(signature)
    }

    /// An object with this key's signature. A cross-signing key is called after itself.
    func sign(_ json: JSONValue, as user: UserID, keyName: String? = nil) -> JSONValue {
        var json = json
        var signatures = json["signatures"] ?? [:]
        var own = signatures[user.string] ?? [:]
        own["ed25519:\(keyName ?? publicKey)"] = .string(signature(of: json))
        signatures[user.string] = own
        json["signatures"] = signatures
        return json
    }
}

/// A clock that only moves when it is told to.
final class KeysClock: Homeserver.Clock {
    private let time = Mutex<Int64>(1_700_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func advance(by milliseconds: Int64) { time.withLock { $0 += milliseconds } }

    /// A number that was not given out before.
    func tick() -> Int64 {
        time.withLock { time in
            time += 1
            return time
        }
    }
}

/// Other servers that answer what a test prepared.
final class ScriptedServers: RemoteServers {
    private let answers = Mutex<[ServerName: JSON]>([:])

    func answer(_ server: String, _ body: JSONValue) {
        answers.withLock { $0[ServerName(trusted: server)] = body.json }
    }

    func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { try answer(of: server) }

    func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { try answer(of: server) }

    private func answer(of server: ServerName) throws(RemoteServerFailure) -> JSON {
        guard let answer = answers.withLock({ $0[server] }) else { throw RemoteServerFailure(message: "No answer") }
        return answer
    }
}

/// Authorizes whoever sends `auth`, and counts how often that was used.
final class CountingAuthorization: KeyReplacementAuthorization {
    private let count = Mutex(0)

    var used: Int { count.withLock { $0 } }

    func authorizeKeyReplacement(
        of user: UserNumber, auth: JSON?
    ) async throws -> @Sendable (StoreWriter) throws -> Void {
        guard auth != nil else { throw MatrixError(401, .unauthorized, "More authentication is needed") }
        return { _ in self.count.withLock { $0 += 1 } }
    }
}

/// The fixture itself is wrong.
struct KeysFixtureError: Error {}
