import Matrix
import Store

/// Signing in at a service outside, with a browser.
///
/// [SSO client login](https://spec.matrix.org/v1.19/client-server-api/#sso-client-loginauthentication). There is no state between the
/// steps: what has to be known again when the browser comes back is in the address that it comes back to, which the provider binds
/// the ticket to.
public final class SingleSignOn: Sendable {
    private let provider: any SingleSignOnProvider
    private let baseURL: String
    private let serverName: ServerName
    private let accounts: AccountService
    private let sessions: SessionService
    private let interactive: InteractiveAuthentication

    /// Longer addresses have no honest use.
    private static let maximumURLBytes = 4_096
    /// What runs in the browser instead of leading somewhere.
    private static let refusedSchemes = ["javascript", "data", "vbscript", "blob", "file", "about", "view-source"]

    /// - Parameters:
    ///   - provider: Who knows users.
    ///   - baseURL: Where browsers reach this server, without a slash at the end.
    ///   - serverName: This server.
    ///   - accounts: Makes accounts of users who come for the first time.
    ///   - sessions: Makes login tokens.
    ///   - interactive: Operations that wait for their user to sign in.
    public init(
        provider: any SingleSignOnProvider, baseURL: String, serverName: ServerName, accounts: AccountService,
        sessions: SessionService, interactive: InteractiveAuthentication
    ) {
        self.provider = provider
        self.baseURL = baseURL
        self.serverName = serverName
        self.accounts = accounts
        self.sessions = sessions
        self.interactive = interactive
    }

    /// The provider's name in paths.
    public var providerID: String { provider.id }
    /// The provider's name for people.
    public var providerName: String { provider.name }

    /// What a browser comes back for.
    public enum Purpose: Sendable {
        /// To log in to a client, which waits at this address.
        case login(clientURL: String)
        /// To authorize an operation.
        case operation(session: String)
    }

    /// Where a browser has to go to sign in.
    ///
    /// - Throws: 400 for a client's address that leads nowhere; 404 for an operation that does not wait for it.
    public func loginURL(for purpose: Purpose) async throws -> String {
        switch purpose {
        case .login(let clientURL): try Self.check(clientURL)
        case .operation(let session):
            guard try await interactive.expectsSingleSignOn(session: session) else {
                throw MatrixError.notFound("Nothing waits for you to sign in, or it has taken too long")
            }
        }
        return provider.loginURL(returningTo: service(for: purpose))
    }

    /// What came of a browser's return.
    public enum Outcome: Sendable {
        /// The user may be led back to the client, with a login token.
        case login(user: UserID, clientURL: String)
        /// The operation is authorized, as far as signing in is concerned.
        case authorized
        /// Somebody else signed in than the user whose operation it is.
        case otherUser(UserID)
    }

    /// Finds out who came back, and does what they came for.
    ///
    /// - Throws: 403 for a ticket that is not good, or an account that may not log in; 503 if the provider cannot be asked.
    public func complete(ticket: String, for purpose: Purpose) async throws -> Outcome {
        if case .login(let clientURL) = purpose { try Self.check(clientURL) }
        guard let name = try await provider.user(ticket: ticket, service: service(for: purpose)) else {
            throw MatrixError.forbidden("\(provider.name) does not know this ticket; sign in again")
        }
        let external = ExternalID(provider: provider.id, id: name)
        guard let user = try await accounts.user(external) ?? Self.user(named: name, on: serverName) else {
            throw MatrixError.forbidden("The name that \(provider.name) has for you cannot be a user name here")
        }
        switch purpose {
        case .login(let clientURL):
            let number = try await account(of: user)
            try await accounts.remember(external, of: number)
            let (token, _) = try await sessions.loginToken(for: number)
            return .login(user: user, clientURL: Self.adding(token, to: clientURL))
        case .operation(let session):
            return try await interactive.signedOn(user, session: session) ? .authorized : .otherUser(user)
        }
    }

    private func account(of user: UserID) async throws -> UserNumber {
        if let account = try await accounts.account(named: user.string) {
            try AccountState.checkMayLogIn(account.flags)
            guard account.appService == nil, !account.flags.contains(.guest) else {
                throw MatrixError.forbidden("This user name is taken")
            }
            return account.user
        }
        do {
            try await accounts.checkAvailable(user)
            _ = try await accounts.create(NewAccount(userID: user, passwordHash: nil), device: nil)
        } catch let error as MatrixError where error.code == .userInUse {
            // The same user in another window was faster.
        }
        guard let account = try await accounts.account(named: user.string) else { throw MatrixError.internalError }
        return account.user
    }

    // MARK: Addresses

    /// Where a browser comes back to; the ticket is added to it.
    private func service(for purpose: Purpose) -> String {
        let query =
            switch purpose {
            case .login(let clientURL): "redirectUrl=\(Self.encoded(clientURL))"
            case .operation(let session): "session=\(Self.encoded(session))"
            }
        return "\(baseURL)/_matrix/client/r0/login/cas/ticket?\(query)"
    }

    private static func check(_ url: String) throws {
        let scheme = url.utf8.prefix { $0 != UInt8(ascii: ":") }
        let isScheme =
            scheme.count < url.utf8.count && (scheme.first.map { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A } ?? false)
            && scheme.allSatisfy { isUnreserved($0) || $0 == UInt8(ascii: "+") }
        guard url.utf8.count <= maximumURLBytes, isScheme, url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            !refusedSchemes.contains(String(decoding: scheme.map { $0 | 0x20 }, as: UTF8.self))
        else { throw MatrixError.invalidParameter("redirectUrl is no address that a browser could go to") }
    }

    /// The address with the token in its query, and no other token.
    static func adding(_ token: String, to url: String) -> String {
        let parts = url.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var items = address.count > 1 ? address[1].split(separator: "&").filter { !$0.hasPrefix("loginToken=") } : []
        items.append("loginToken=\(encoded(token))")
        return "\(address[0])?\(items.joined(separator: "&"))" + (parts.count > 1 ? "#\(parts[1])" : "")
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == 0x7E
        }
    }

    /// The text as one item of a query.
    private static func encoded(_ text: String) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%")] + hexadecimal(byte, "0123456789ABCDEF")
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    // MARK: Names

    /// The user that a provider's name stands for: capitals made small, other characters than user names have escaped.
    ///
    /// [Mapping from other character sets](https://spec.matrix.org/v1.19/appendices/#mapping-from-other-character-sets). Directories
    /// do not tell capitals apart in names, and so nor is it done here.
    static func user(named name: String, on server: ServerName) -> UserID? {
        guard !name.isEmpty else { return nil }
        var localpart: [UInt8] = []
        for byte in Username.lowercased(name).utf8 {
            switch byte {
            case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"):
                localpart.append(byte)
            // Names that begin with _ are for application services.
            case UInt8(ascii: "_") where !localpart.isEmpty: localpart.append(byte)
            default: localpart += [UInt8(ascii: "=")] + hexadecimal(byte, "0123456789abcdef")
            }
        }
        guard let user = UserID(localpart: String(decoding: localpart, as: UTF8.self), server: server), user.isStrict
        else { return nil }
        return user
    }

    private static func hexadecimal(_ byte: UInt8, _ digits: StaticString) -> [UInt8] {
        [digits.utf8Start[Int(byte >> 4)], digits.utf8Start[Int(byte & 15)]]
    }
}
