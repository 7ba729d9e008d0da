import Logging
import Matrix
import Store

/// Speaks for users with identity servers, which know whom an address is of.
///
/// If the configuration names some, only those are asked; else whichever users name. What was bound is remembered, and what is to be unbound
/// until it is.
///
/// [Identity Service API](https://spec.matrix.org/v1.19/identity-service-api/)
public final class IdentityService: Sendable {
    /// The servers that are asked; `nil`: all.
    public let servers: [IdentityServer]?

    let store: Store
    let clock: any Clock
    let serverName: ServerName
    private let transport: any IdentityTransport
    private let signingKey: any SigningKeySource
    private let logger: Logger

    private static let maximumBindings = 100
    private static let endingsAtOnce = 10_000
    /// How long it is attempted to end a binding, in milliseconds.
    private static let patienceMilliseconds: Int64 = 30 * 86_400_000

    /// - Parameters:
    ///   - servers: Those that are asked; `nil`: all that users name.
    ///   - transport: Makes the requests.
    ///   - store: Remembers what was bound.
    ///   - signingKey: Signs requests that this server makes in its own name.
    public init(
        servers: [IdentityServer]?, transport: any IdentityTransport, store: Store, clock: any Clock,
        serverName: ServerName, signingKey: any SigningKeySource, logger: Logger
    ) {
        self.servers = servers
        self.transport = transport
        self.store = store
        self.clock = clock
        self.serverName = serverName
        self.signingKey = signingKey
        self.logger = logger
    }

    /// The server that a client names.
    ///
    /// - Throws: 400 `M_SERVER_NOT_TRUSTED` for one that the configuration does not name.
    public func server(named name: String) throws -> IdentityServer {
        guard let server = known(name) else {
            throw MatrixError(400, "M_SERVER_NOT_TRUSTED", "This server does not ask that identity server")
        }
        return server
    }

    private func known(_ name: String) -> IdentityServer? {
        // Some clients send the address.
        var text = name.lowercased()
        for prefix in ["https://", "http://"] where text.hasPrefix(prefix) {
            text = String(text.dropFirst(prefix.count))
        }
        if text.hasSuffix("/") { text = String(text.dropLast()) }
        if let servers { return servers.first { $0.name.utf8.elementsEqual(text.utf8) } }
        guard let name = ServerName(text), let address = WebAddress("https://\(name)") else { return nil }
        return IdentityServer(name: text, url: String(address.description.dropLast()), isConfigured: false)
    }

    // MARK: Binding

    /// Has an address told to be a user's.
    ///
    /// - Parameters:
    ///   - session: The name of the proof, which the identity server has accepted, that the address is the user's.
    ///   - clientSecret: The client's secret.
    ///   - server: The identity server.
    ///   - token: The user's token there.
    /// - Throws: What the identity server says; 502 if it cannot be asked.
    public func bind(
        session: String, clientSecret: String, at server: IdentityServer, token: String, to user: Requester
    ) async throws {
        let known = try await store.read { try $0.identityBindings.bindings(of: user.number) }
        guard known.count < Self.maximumBindings else {
            throw MatrixError.forbidden("An account has \(Self.maximumBindings) bound addresses at most")
        }
        let answer = try await ask(
            server, "/_matrix/identity/v2/3pid/bind", token: token,
            ["sid": .string(session), "client_secret": .string(clientSecret), "mxid": .string(user.id.string)])
        guard let medium = answer["medium"]?.string, let address = answer["address"]?.string,
            let binding = binding(medium, address, at: server, of: user.number)
        else { throw Self.nonsense }
        let now = clock.now
        try await store.write { try $0.identityBindings.insert(binding, now: now) }
    }

    private func binding(
        _ medium: String, _ address: String, at server: IdentityServer, of user: UserNumber
    ) -> IdentityBinding? {
        guard (1...32).contains(medium.utf8.count), (1...500).contains(address.utf8.count),
            (medium + address).utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { return nil }
        return IdentityBinding(
            user: user, medium: medium, address: IdentityHash.normalized(address, medium: medium), server: server.name)
    }

    // MARK: Unbinding

    /// Ends what identity servers tell of an address.
    ///
    /// - Parameters:
    ///   - medium: What kind of address.
    ///   - address: The address.
    ///   - name: The identity server; those that it was bound at if `nil`.
    /// - Returns: Whether it has ended; not if there is no server to ask, or one that does not do it.
    /// - Throws: What the identity server says; 502 if it cannot be asked now, and will be again later.
    public func unbind(
        _ medium: String, _ address: String, at name: String?, of user: UserNumber
    ) async throws -> Bool {
        let asked: [IdentityServer]
        if let name {
            asked = known(name).map { [$0] } ?? []
        } else {
            let normalized = IdentityHash.normalized(address, medium: medium)
            let known = try await store.read { try $0.identityBindings.bindings(of: user) }
            asked = known.filter {
                $0.medium.utf8.elementsEqual(medium.utf8) && $0.address.utf8.elementsEqual(normalized.utf8)
            }.compactMap { self.known($0.server) }
        }
        let bindings = asked.compactMap { binding(medium, address, at: $0, of: user) }
        let now = clock.now
        try await store.write { writer in
            let known = try writer.read.identityBindings.bindings(of: user)
            // What nothing is known of is attempted once, if too much is known already.
            for binding in bindings where known.contains(binding) || known.count < Self.maximumBindings {
                try writer.identityBindings.end(binding, now: now)
            }
        }
        var isDone = !bindings.isEmpty
        for binding in bindings where try await !end(binding) { isDone = false }
        return isDone
    }

    /// Ends what identity servers tell of a user whose account has ended, as far as they can be reached now.
    ///
    /// - Returns: Whether nothing is left to end.
    public func unbindAll(of user: UserNumber) async throws -> Bool {
        var isDone = true
        for binding in try await store.read({ try $0.identityBindings.bindings(of: user) }) {
            do {
                if try await !end(binding) { isDone = false }
            } catch is MatrixError {
                isDone = false
            }
        }
        return isDone
    }

    /// Ends a binding, and forgets it unless the server could not be asked.
    ///
    /// - Returns: Whether it has ended.
    private func end(_ binding: IdentityBinding) async throws -> Bool {
        guard let server = known(binding.server) else { return false }
        let user = try await store.user(binding.user)
        let body: JSONValue = [
            "mxid": .string(user.string),
            "threepid": ["medium": .string(binding.medium), "address": .string(binding.address)],
        ]
        let target = "/_matrix/identity/v2/3pid/unbind"
        let content = CanonicalJSON.text(of: body)
        let answer = await transport.ask(
            server.url + target, isConfigured: server.isConfigured,
            authorization: try authorization(target, server, content), body: content)
        guard let answer, answer.status < 500 || answer.status == 501 else {
            logger.warning("an address was not unbound", metadata: ["server": "\(server.name)"])
            throw Self.unreachable
        }
        try await store.write { try $0.identityBindings.delete(binding) }
        if (200..<300).contains(answer.status) { return true }
        // A server that does not do such a thing says so in some way or other; one that does has reasons.
        guard let error = IdentityAnswer.error(answer.status, answer.body), answer.status != 404, answer.status != 501
        else { return false }
        throw error
    }

    /// What shows that this server makes a request. Identity servers in use verify a text that names them as `destination_is`.
    private func authorization(_ target: String, _ server: IdentityServer, _ content: [UInt8]) throws -> String {
        // The members are in the order of their names, as canonical JSON has them.
        var writer = JSONWriter(capacity: content.count + 256)
        writer.beginObject()
        writer.rawMember("content", content)
        writer.member("destination_is", server.name)
        writer.member("method", "POST")
        writer.member("origin", serverName)
        writer.member("uri", target)
        writer.endObject()
        let key = signingKey.signingKey
        let signature = Base64.encode(try key.sign(writer.bytes))
        return "X-Matrix origin=\"\(serverName)\",key=\"\(key.keyID)\",sig=\"\(signature)\""
    }

    /// Ends now and then what could not be ended before, until the task is cancelled.
    public func run(every interval: Duration = .seconds(3600)) async {
        while !Task.isCancelled, servers?.isEmpty != true {
            do {
                let before = clock.now - Self.patienceMilliseconds
                try await store.write { try $0.identityBindings.giveUp(endingBefore: before) }
                // A server that cannot be reached holds up the others once.
                var unreachable: Set<ExactString> = []
                for binding in try await store.read({ try $0.identityBindings.ending(limit: Self.endingsAtOnce) })
                where !unreachable.contains(ExactString(binding.server)) {
                    do { _ = try await end(binding) } catch let error as MatrixError {
                        logger.info("an address is still bound", metadata: ["error": "\(error.message)"])
                        if error.status >= 500 { unreachable.insert(ExactString(binding.server)) }
                    }
                }
            } catch {
                logger.warning("addresses not unbound", metadata: ["error": "\(error)"])
            }
            // Only cancellation ends a wait early, and the loop looks at that.
            try? await Task.sleep(for: interval)
        }
    }

    // MARK: Asking

    /// Asks in a user's name.
    ///
    /// - Throws: What the identity server says; 502 if it cannot be asked.
    func ask(_ server: IdentityServer, _ path: String, token: String, _ body: JSONValue? = nil) async throws -> JSON {
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw MatrixError.invalidParameter("The id_access_token is none")
        }
        let answer = await transport.ask(
            server.url + path, isConfigured: server.isConfigured, authorization: "Bearer \(token)",
            body: body?.serialized())
        guard let answer, answer.status < 500 else { throw Self.unreachable }
        guard (200..<300).contains(answer.status) else {
            throw IdentityAnswer.error(answer.status, answer.body) ?? Self.nonsense
        }
        guard let json = try? JSON(parsing: answer.body), json.isObject else { throw Self.nonsense }
        return json
    }

    static let unreachable = MatrixError(502, .unknown, "The identity server cannot be asked at the moment")
    static let nonsense = MatrixError(502, .unknown, "The identity server does not answer as it should")
}

/// What identity servers say.
enum IdentityAnswer {
    /// The error that a client is told of what an identity server says; `nil` for what is none of Matrix.
    static func error(_ status: Int, _ body: [UInt8]) -> MatrixError? {
        guard (400..<500).contains(status), let json = try? JSON(parsing: body), let code = json["errcode"]?.string,
            (1...100).contains(code.utf8.count),
            code.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || "._".utf8.contains($0) })
        else { return nil }
        let message = json["error"]?.string.map { String($0.prefix(300)) } ?? "The identity server refuses it"
        // What is said of the token there must not be taken for something about the token here.
        let isAboutToken = status == 401 || code.hasSuffix("_TOKEN")
        var error = MatrixError(isAboutToken ? 403 : status, isAboutToken ? .unauthorized : ErrorCode(code), message)
        error.extra["mxid"] = json["mxid"]?.string.map { .string($0) }
        error.extra["retry_after_ms"] = json["retry_after_ms"]?.int.map { .integer($0) }
        return error
    }
}
