import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v2/users`: accounts, a page at a time, without those that were ended unless they are asked for.
///
/// Query: that of ``SynapsePage``, `order_by`; `name`, `user_id`, `guests`, `admins`, `deactivated`, `locked`, `not_user_type`.
struct ListSynapseUsers: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/users")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let list: SynapseUserListRequest

        init(from input: RequestInput) throws {
            var list = try SynapseUserListRequest(from: input)
            list.selection.isDeactivated = try input.query("deactivated", as: .bool) == true ? nil : false
            self.list = list
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await request.list.answer(from: store)
    }
}

/// `GET /_synapse/admin/v3/users`: as in version 2, but `deactivated` says whether accounts that were ended are wanted, or only they.
struct ListSynapseUsersV3: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v3/users")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let list: SynapseUserListRequest

        init(from input: RequestInput) throws {
            var list = try SynapseUserListRequest(from: input)
            list.selection.isDeactivated = try input.query("deactivated", as: .bool)
            self.list = list
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await request.list.answer(from: store)
    }
}

/// What both versions of the list are asked.
struct SynapseUserListRequest: Sendable {
    let page: SynapsePage
    let order: AccountOrder
    var selection: AccountSelection
    /// Whether nobody can be meant: all accounts are of no type, and such are not wanted.
    let isOfTypes: Bool

    /// By what a list can be in order. Nobody has a type: what is alike in that is in the order of names.
    private enum Order: String {
        case name, admin, deactivated, locked, displayname
        case guest = "is_guest"
        case type = "user_type"
        case avatar = "avatar_url"
        case shadowBanned = "shadow_banned"
        case created = "creation_ts"
        case seen = "last_seen_ts"
    }

    init(from input: RequestInput) throws {
        page = try SynapsePage(from: input)
        let order: Order = try input.query("order_by", as: .choice) ?? .name
        self.order = AccountOrder(rawValue: order.rawValue) ?? .name
        selection = AccountSelection()
        selection.userID = try input.searched("user_id")
        selection.name = try input.searched("name")
        selection.isGuest = try input.query("guests", as: .bool) == false ? false : nil
        selection.isAdmin = try input.query("admins", as: .bool)
        selection.isLocked = try input.query("locked", as: .bool) == true ? nil : false
        isOfTypes = try input.queries("not_user_type", as: .string).contains { $0.isEmpty }
    }

    func answer(from store: Store) async throws -> JSONValue {
        if isOfTypes { return ["users": [], "total": 0] }
        let (users, total) = try await store.read { reader in
            let accounts = try reader.accounts.accounts(
                selection, by: order, isDescending: page.isDescending ?? false, offset: page.offset, limit: page.limit)
            return (
                try accounts.map { try SynapseUser.listed($0, reader) }, try reader.accounts.count(selection)
            )
        }
        var json: JSONValue = ["users": .array(users), "total": .integer(Int64(total))]
        if let next = page.next(after: users.count, of: total) { json["next_token"] = .string("\(next)") }
        return json
    }
}
