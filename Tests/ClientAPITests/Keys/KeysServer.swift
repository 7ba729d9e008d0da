import Adapters
import ClientAPI
import Homeserver
import Matrix
import Store
import Web

/// A server with accounts and end-to-end encryption, wired as the server wires it.
struct KeysServer {
    let accounts: Running
    let inboxes: ToDeviceInboxes

    /// Runs a test on every engine.
    static func run(_ body: (KeysServer) async throws -> Void) async throws {
        var server = AccountsServer()
        server.hooks = [DeviceKeyRemoval()]
        try await server.run { try await body(KeysServer($0)) }
    }

    private init(_ accounts: Running) {
        self.accounts = accounts
        let store = accounts.store
        let name = ServerName(trusted: "chappe.example")
        let remote = UnreachableServers()
        inboxes = ToDeviceInboxes(store: store)
        let interactive = InteractiveAuthentication(
            store: store, clock: accounts.clock, randomness: SeededRandomness(seed: 99), accounts: accounts.accounts
        )
        let environment = EndpointEnvironment(
            authenticator: TokenAuthenticator(sessions: accounts.sessions),
            rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 }
        )
        accounts.router.addKeyRoutes(
            keys: KeyService(
                store: store, serverName: name, clock: accounts.clock, remote: remote, counts: KeyCounts(store: store)
            ),
            crossSigning: CrossSigningService(
                store: store, serverName: name, remote: remote, authorization: interactive
            ),
            deviceLists: DeviceListService(store: store), in: environment
        )
        accounts.router.addKeyBackupRoutes(backups: KeyBackupService(store: store), in: environment)
        accounts.router.addToDeviceRoutes(
            toDevice: ToDeviceService(store: store, serverName: name, clock: accounts.clock, outbox: nil),
            in: environment
        )
    }

    /// Asks something as a user.
    func ask(
        _ person: Running.Person, _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil
    ) async throws -> Running.Answer {
        try await accounts.ask(method, path, body, token: person.token)
    }

    /// The texts of the messages that wait for a device.
    func messages(_ person: Running.Person) async throws -> [JSONValue] {
        guard let user = UserID(person.user), let number = try await accounts.store.number(of: user),
            let device = DeviceID(person.device)
        else { return [] }
        let batch = try await inboxes.pending(
            for: device, of: number, after: StreamPosition(0), through: accounts.store.journal.end
        )
        return try batch.messages.map { try JSON(parsing: $0.content).value }
    }
}

extension Running.Person {
    /// Identity keys of this device.
    var deviceKeys: JSONValue {
        [
            "user_id": .string(user), "device_id": .string(device),
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": .object([
                "curve25519:\(device)": "base64publicidentitykey", "ed25519:\(device)": "base64publicidentitykey2",
            ]),
            "signatures": [:],
        ]
    }
}
