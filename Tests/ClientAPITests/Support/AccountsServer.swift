import Adapters
import AdminAPI
import ClientAPI
import Database
import Homeserver
import Logging
import Matrix
import Store
import TestSupport
import Testing
import Web

/// Everything about accounts, wired as the server wires it, over a temporary database.
struct AccountsServer {
    var registration = RegistrationPolicy(mode: .open, allowsGuests: true)
    var lifetimes = TokenLifetimes()
    var hooks: [any DeviceRemovalHook] = []
    var mailLimits = MailLimits()

    /// Runs a test on every engine.
    func run(_ body: (Running) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await body(try node(on: store))
        }
    }

    /// Runs a test on every engine with two servers that share a database, as two nodes do.
    func runTwoNodes(_ body: (Running, Running) async throws -> Void) async throws {
        try await withEachEngine { database in
            let first = try node(on: try await Store.open(database))
            let second = try node(on: try await Store.open(database), clock: first.clock, seed: 2)
            try await body(first, second)
        }
    }

    private func node(on store: Store, clock: ManualClock = ManualClock(), seed: UInt64 = 1) throws -> Running {
        let serverName = ServerName(trusted: "chappe.example")
        let randomness = SeededRandomness(seed: seed)
        let rooms = NotedRooms()
        let removal = DeviceRemoval(hooks: hooks)
        let activity = DeviceActivity(store: store)
        let sessions = SessionService(
            store: store, clock: clock, randomness: randomness, removal: removal, activity: activity,
            lifetimes: lifetimes
        )
        let accounts = AccountService(
            store: store, serverName: serverName, clock: clock,
            hasher: Argon2PasswordHasher(effort: .cheap, threads: 1), sessions: sessions, removal: removal,
            departure: rooms, failedLogins: FailedLogins(burst: 5, intervalMilliseconds: 10_000)
        )
        let mail = NotedMail()
        let addresses = AddressService(
            store: store, clock: clock, randomness: randomness, mailer: mail, serverName: serverName,
            baseURL: "https://matrix.chappe.example", limits: mailLimits
        )
        let interactive = InteractiveAuthentication(
            store: store, clock: clock, randomness: randomness, accounts: accounts, addresses: addresses
        )
        let registrations = RegistrationService(
            store: store, clock: clock, randomness: randomness, policy: registration, accounts: accounts,
            sessions: sessions, authentication: interactive
        )
        let profiles = ProfileService(
            store: store, serverName: serverName, propagation: rooms, remote: OneRemoteProfile()
        )
        let secret = SharedSecretRegistration(
            secret: "reg_secret", store: store, clock: clock, randomness: randomness, accounts: accounts
        )
        let environment = EndpointEnvironment(
            authenticator: TokenAuthenticator(sessions: sessions),
            rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 }
        )
        let features = ServerFeatures(
            defaultRoomVersion: .v12, publicBaseURL: "https://matrix.chappe.example",
            delegatedServer: "matrix.chappe.example:443"
        )
        let router = Router()
        router.addSessionRoutes(
            sessions: sessions, accounts: accounts, interactive: interactive, allowsLoginTokens: true, in: environment
        )
        router.addRegistrationRoutes(registration: registrations, passwords: PasswordPolicy(), in: environment)
        router.addAccountRoutes(
            accounts: accounts, interactive: interactive, registration: registrations, addresses: addresses,
            identity: IdentityService(
                servers: [], transport: NoIdentityServers(), store: store, clock: clock, serverName: serverName,
                signingKey: try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "1")),
                logger: Logger(label: "test")),
            in: environment
        )
        router.addDeviceRoutes(
            devices: DeviceService(store: store, removal: removal, clock: clock), interactive: interactive,
            in: environment
        )
        router.addProfileRoutes(profiles: profiles, in: environment)
        router.addServerRoutes(features: features, in: environment)
        router.addWellKnownRoutes(features: features, in: environment)
        router.addSharedSecretRoutes(registration: secret, in: environment)
        return Running(
            store: store, clock: clock, rooms: rooms, mail: mail, activity: activity, accounts: accounts,
            sessions: sessions,
            router: router
        )
    }
}

/// A server that answers.
struct Running {
    let store: Store
    let clock: ManualClock
    let rooms: NotedRooms
    let mail: NotedMail
    let activity: DeviceActivity
    let accounts: AccountService
    let sessions: SessionService
    let router: Router

    /// An answer.
    struct Answer {
        let status: Int
        let body: JSON

        var code: String? { body["errcode"]?.string }
        subscript(_ name: String) -> JSON? { body[name] }
    }

    /// Asks something.
    func ask(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, token: String? = nil
    ) async throws -> Answer {
        var headers: HTTPHeaders = ["User-Agent": "Tests"]
        if let token { headers["Authorization"] = "Bearer \(token)" }
        let target = path.utf8.first == UInt8(ascii: "/") ? path : "/_matrix/client/v3/\(path)"
        let response = await router.respond(
            method, target, headers: headers, body: .bytes(body?.serialized() ?? [])
        )
        guard case .bytes(let bytes) = response.body else { return Answer(status: response.status, body: .emptyObject) }
        return Answer(status: response.status, body: try JSON(parsing: bytes))
    }

    /// A user with a session.
    struct Person {
        let name: String
        let user: String
        let device: String
        let token: String
        var password = Running.password
    }

    static let password = "a long passphrase"

    func register(_ name: String) async throws -> Person {
        let answer = try await ask(
            .post, "register",
            [
                "username": .string(name), "password": .string(Self.password), "auth": ["type": "m.login.dummy"],
            ]
        )
        return try person(answer, name)
    }

    func login(
        _ name: String, password: String = Running.password, device: String? = nil, refresh: Bool = false
    ) async throws -> Answer {
        var body: JSONValue = [
            "type": "m.login.password", "identifier": ["type": "m.id.user", "user": .string(name)],
            "password": .string(password), "refresh_token": .bool(refresh),
        ]
        if let device { body["device_id"] = .string(device) }
        return try await ask(.post, "login", body)
    }

    func anotherDevice(of person: Person, _ device: String? = nil) async throws -> Person {
        try self.person(try await login(person.user, device: device), person.name)
    }

    func whoAmI(_ token: String) async throws -> Answer { try await ask(.get, "account/whoami", token: token) }

    /// The number of a person's account.
    func number(of person: Person) async throws -> UserNumber {
        guard let user = UserID(person.user), let number = try await store.number(of: user) else {
            throw Unexpected(answer: "no number for \(person.user)")
        }
        return number
    }

    /// The `auth` of somebody who knows their password.
    func auth(_ person: Person, session: String? = nil, password: String? = nil) -> JSONValue {
        var auth: JSONValue = [
            "type": "m.login.password", "identifier": ["type": "m.id.user", "user": .string(person.user)],
            "password": .string(password ?? person.password),
        ]
        if let session { auth["session"] = .string(session) }
        return auth
    }

    private func person(_ answer: Answer, _ name: String) throws -> Person {
        guard let user = answer["user_id"]?.string, let device = answer["device_id"]?.string,
            let token = answer["access_token"]?.string
        else { throw Unexpected(answer: String(decoding: answer.body.bytes, as: UTF8.self)) }
        return Person(name: name, user: user, device: device, token: token)
    }

    struct Unexpected: Error {
        let answer: String
    }
}
