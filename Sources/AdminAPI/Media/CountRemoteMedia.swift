import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/media/remote`: how much is here of other servers' files that were fetched before a time.
///
/// Query: `before_ts` (milliseconds since 1970). Answer: `files`, `bytes`.
struct CountRemoteMedia: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/media/remote")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let before: Int64

        init(from input: RequestInput) throws {
            before = try input.requiredQuery("before_ts", as: .milliseconds)
            guard before >= 0 else { throw MatrixError.invalidParameter("before_ts is negative") }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let server = services.accounts.serverName
        let (files, bytes) = try await services.store.read {
            try $0.media.fetchedTotal(before: request.before, except: server)
        }
        return ["files": .integer(files), "bytes": .integer(bytes)]
    }
}
