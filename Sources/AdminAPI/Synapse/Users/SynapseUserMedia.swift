import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/users/{userId}/media`: the files that a user has uploaded, the latest first unless something else is asked.
///
/// Query: that of ``SynapsePage``, `order_by`.
struct ListSynapseUserMedia: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/media")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserMediaRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let (files, total) = try await services.store.read { reader in
            (try request.files(of: account, reader), try reader.media.uploadCount(of: account.user))
        }
        var json: JSONValue = [
            "media": .array(files.map(SynapseMedia.json)), "total": .integer(Int64(total)),
        ]
        if let next = request.page.next(after: files.count, of: total) { json["next_token"] = .integer(Int64(next)) }
        return json
    }
}

/// `DELETE /_synapse/admin/v1/users/{userId}/media`: deletes files that a user has uploaded: those that the list of them would show.
///
/// Answer: `deleted_media` (media IDs), `total`.
struct DeleteSynapseUserMedia: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/users/{userId}/media")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserMediaRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let files = try await services.store.read { try request.files(of: account, $0) }
        var deleted: [JSONValue] = []
        for file in files {
            do {
                try await services.media.delete(
                    file.reference, alongside: services.noting(.mediaDelete, on: file.reference.uri, by: caller))
            } catch let error as MatrixError where error.status == 404 {
                // Somebody else was faster.
                continue
            }
            deleted.append(.string(file.reference.id.string))
        }
        return ["deleted_media": .array(deleted), "total": .integer(Int64(deleted.count))]
    }
}

/// Which of a user's files are meant.
struct SynapseUserMediaRequest: RequestDecodable {
    let user: UserID
    let page: SynapsePage
    private let order: MediaOrder
    private let isDescending: Bool

    /// By what a list can be in order. When a file was last fetched is not kept: all are alike in that, and in the order of identifiers.
    private enum Order: String {
        case id = "media_id"
        case uploadName = "upload_name"
        case created = "created_ts"
        case lastAccess = "last_access_ts"
        case length = "media_length"
        case type = "media_type"
        case quarantinedBy = "quarantined_by"
        case safe = "safe_from_quarantine"
    }

    init(from input: RequestInput) throws {
        user = try input.path("userId")
        page = try SynapsePage(from: input)
        let order: Order? = try input.query("order_by", as: .choice)
        self.order = order.map { MediaOrder(rawValue: $0.rawValue) ?? .mediaID } ?? .created
        isDescending = page.isDescending ?? (order == nil)
    }

    func files(of account: AccountRecord, _ reader: StoreReader) throws -> [MediaRecord] {
        try reader.media.uploads(
            of: account.user, by: order, isDescending: isDescending, offset: page.offset, limit: page.limit)
    }
}

/// A file as Synapse describes it.
enum SynapseMedia {
    static func json(_ file: MediaRecord) -> JSONValue {
        var length: Int64?
        if case .stored(let blob) = file.content { length = blob.size }
        return [
            "media_id": .string(file.reference.id.string), "media_type": file.contentType.json,
            "media_length": length.json, "upload_name": file.uploadName.json, "created_ts": .integer(file.created),
            // When a file was last fetched is not kept.
            "last_access_ts": .null,
            "quarantined_by": file.isQuarantined ? .string(file.quarantinedBy ?? "") : .null,
            "safe_from_quarantine": .bool(file.isProtected),
        ]
    }
}

/// `GET /_synapse/admin/v1/statistics/users/media`: how much each user has uploaded.
///
/// Query: that of ``SynapsePage``, `order_by`, `from_ts`, `until_ts` (milliseconds since 1970), `search_term`.
struct GetSynapseMediaStatistics: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/statistics/users/media")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let page: SynapsePage
        let order: MediaUsageOrder
        let times: ClosedRange<Int64>
        let name: String?

        init(from input: RequestInput) throws {
            page = try SynapsePage(from: input)
            order = try input.query("order_by", as: .choice) ?? .userID
            let first = try input.query("from_ts", as: .milliseconds) ?? 0
            let last = try input.query("until_ts", as: .milliseconds)
            guard first >= 0, last.map({ $0 > first }) ?? true else {
                throw MatrixError.invalidParameter("until_ts must be later than from_ts")
            }
            times = first...(last ?? .max)
            name = try input.searched("search_term")
            if let name, name.isEmpty { throw MatrixError.invalidParameter("search_term is empty") }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let page = request.page
        let (users, total) = try await store.read { reader in
            let usage = try reader.accounts.mediaUsage(
                name: request.name, in: request.times, by: request.order, isDescending: page.isDescending ?? false,
                offset: page.offset, limit: page.limit)
            let users = try usage.map { usage -> JSONValue in
                [
                    "user_id": .string(usage.userID.string),
                    "displayname": try reader.profiles.displayName(of: usage.user).json,
                    "media_count": .integer(usage.count), "media_length": .integer(usage.bytes),
                ]
            }
            return (users, try reader.accounts.mediaUsers(name: request.name, in: request.times))
        }
        var json: JSONValue = ["users": .array(users), "total": .integer(Int64(total))]
        if let next = page.next(after: users.count, of: total) { json["next_token"] = .integer(Int64(next)) }
        return json
    }
}
