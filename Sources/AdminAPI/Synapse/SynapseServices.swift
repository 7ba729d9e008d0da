import Homeserver
import Matrix
import Store
import Web

/// What the administration endpoints compatible with [Synapse](https://element-hq.github.io/synapse/latest/usage/administration/admin_api/)
/// work with.
public struct SynapseServices: Sendable {
    let administration: AdministrationServices
    let media: MediaService
    let spaces: SpaceHierarchy
    let jobs: JobService
    let queue: (any FederationQueue)?
    let version: String

    var rooms: RoomService { administration.rooms }
    var historyPurges: HistoryPurges { HistoryPurges(rooms: rooms) }
    var redactions: UserRedactions { UserRedactions(rooms: rooms) }
    var accountData: AccountDataService { administration.accountData }
    var overviews: RoomOverviews { RoomOverviews(store: store, serverName: accounts.serverName) }
    var accounts: AccountService { administration.accounts }
    var store: Store { administration.store }

    /// - Parameters:
    ///   - administration: What our own endpoints work with.
    ///   - media: Files.
    ///   - spaces: Rooms in rooms.
    ///   - jobs: Does long work.
    ///   - queue: What waits for other servers; `nil` if federation is off.
    ///   - version: The version of the server.
    public init(
        administration: AdministrationServices, media: MediaService, spaces: SpaceHierarchy, jobs: JobService,
        queue: (any FederationQueue)?, version: String
    ) {
        self.administration = administration
        self.media = media
        self.spaces = spaces
        self.jobs = jobs
        self.queue = queue
        self.version = version
    }

    /// The account of a user of this server.
    ///
    /// - Throws: 400 for a user of another server, 404 `M_NOT_FOUND` for one that has no account.
    func account(of user: UserID) async throws -> AccountRecord {
        guard user.isLocal(to: accounts.serverName) else {
            throw MatrixError(400, .unknown, "This is not a user of this server")
        }
        guard let account = try await store.read({ try $0.accounts.account(user) }) else {
            throw MatrixError.notFound("There is no such account")
        }
        return account
    }

    /// Notes an act in the transaction that does it.
    func noting(
        _ act: AuditedAct, on subject: String, by caller: Operator, detail: JSONValue = [:]
    ) -> @Sendable (StoreWriter) throws -> Void {
        { [audit = administration.audit] writer in
            try audit.note(act, by: caller.actor, on: subject, detail: detail, in: writer)
        }
    }
}

/// A request that says nothing but which user it is about.
struct SynapseUserRequest: RequestDecodable {
    let user: UserID

    init(from input: RequestInput) throws { user = try input.path("userId") }
}

/// An answer with a status of its own.
struct StatusAnswer: ResponseEncodable {
    let status: Int
    let json: JSONValue

    func encode(into encoder: inout ResponseEncoder) {
        encoder.status = status
        encoder.json.write(json)
    }
}

/// Which part of a list is wanted.
struct SynapsePage: Sendable {
    let offset: Int
    let limit: Int
    /// Whether the order is reversed; `nil` if nothing was said of it.
    let isDescending: Bool?

    private enum Direction: String { case f, b }

    /// Query: `from` (how many are left out before), `limit` (100, at most 1,000), `dir` (`f` or `b`).
    init(from input: RequestInput) throws {
        offset = try input.query("from", as: .count) ?? 0
        limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        let direction: Direction? = try input.query("dir", as: .choice)
        isDescending = direction.map { $0 == .b }
    }

    /// Where the next page begins; `nil` if there is none.
    func next(after count: Int, of total: Int) -> Int? {
        count > 0 && offset + count < total ? offset + count : nil
    }
}

extension RequestInput {
    /// What something is to be searched for by.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` for a text that is too long, or holds NUL.
    func searched(_ name: String) throws -> String? {
        guard let text = try query(name, as: .string) else { return nil }
        guard text.utf8.count <= 255, !text.utf8.contains(0) else {
            throw MatrixError.invalidParameter("\(name) in the query has at most 255 bytes")
        }
        return text
    }
}

extension String? {
    /// As JSON; `null` for none.
    var json: JSONValue { map { .string($0) } ?? .null }
}

extension Int64? {
    /// As JSON; `null` for none.
    var json: JSONValue { map { .integer($0) } ?? .null }
}
