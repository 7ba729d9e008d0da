import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/media/delete`, and as of old with this server's name in the path: deletes files of this server that came before a
/// time. When a file was last asked for is not kept.
///
/// Query: `before_ts` (milliseconds since 1970), `size_gt` (bytes; only files with more), `keep_profiles` (`true`: what users and rooms show as their
/// pictures stays). Answer: `deleted_media` (media IDs), `total`.
struct DeleteSynapseOldMedia: Endpoint {
    static let routes = [
        Route.post("/_synapse/admin/v1/media/delete"), Route.post("/_synapse/admin/v1/media/{serverName}/delete"),
    ]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    /// December 1970: whoever gives an earlier time has given seconds.
    private static let earliest: Int64 = 30_000_000_000
    private static let filesAtOnce = 100

    let services: SynapseServices

    struct Request: RequestDecodable {
        let server: ServerName?
        let before: Int64
        let bytes: Int64
        let keepsProfiles: Bool

        init(from input: RequestInput) throws {
            server = input.request.pathParameters["serverName"] == nil ? nil : try input.path("serverName")
            before = try input.requiredQuery("before_ts", as: .milliseconds)
            bytes = Int64(try input.query("size_gt", as: .count) ?? 0)
            keepsProfiles = try input.query("keep_profiles", as: .bool) ?? true
            guard before >= DeleteSynapseOldMedia.earliest else {
                throw MatrixError.invalidParameter("before_ts is in milliseconds since 1970")
            }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let server = services.accounts.serverName
        guard request.server ?? server == server else { throw MatrixError(400, .unknown, "This is not this server") }
        var kept: Set<ExactString> = []
        if request.keepsProfiles {
            kept = Set(
                try await services.store.read {
                    try $0.profiles.values(of: ProfileService.avatarField).compactMap { value in
                        try JSON(parsing: value).string.map { ExactString($0) }
                    }
                })
            kept.formUnion(try await services.overviews.all().compactMap { $0.avatarURL.map { ExactString($0) } })
        }
        var deleted: [JSONValue] = []
        var last: Int64 = 0
        while true {
            let after = last
            let files = try await services.store.read {
                try $0.media.old(
                    of: server, before: request.before, largerThan: request.bytes, after: after, limit: Self.filesAtOnce
                )
            }
            guard let end = files.last?.number else {
                return ["deleted_media": .array(deleted), "total": .integer(Int64(deleted.count))]
            }
            last = end
            for (_, file) in files where !kept.contains(ExactString(file.uri)) {
                do {
                    try await services.media.delete(
                        file, alongside: services.noting(.mediaDelete, on: file.uri, by: caller))
                } catch let error as MatrixError where error.status == 404 {
                    // Somebody else was faster.
                    continue
                }
                deleted.append(.string(file.id.string))
            }
        }
    }
}
