import Homeserver
import Matrix
import Web

/// `POST /_chappe/admin/v1/backups`: begins a backup. Answered when the database has been copied.
///
/// Answer: `id`, and on SQLite `snapshot`, a file on this machine.
struct BeginBackup: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/backups")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let backups: BackupService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let session = try await backups.begin(by: caller.actor)
        var answer: JSONValue = ["id": .string(session.id)]
        if let snapshot = session.snapshot { answer["snapshot"] = .string(snapshot) }
        return answer
    }
}

/// Names a backup that is under way.
struct BackupRequest: RequestDecodable {
    let id: String

    init(from input: RequestInput) throws { id = try input.path("id") }
}

/// `PUT /_chappe/admin/v1/backups/{id}`: says that files are still being copied, once in a few minutes.
struct RenewBackup: Endpoint {
    static let routes = [Route.put("/_chappe/admin/v1/backups/{id}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let backups: BackupService

    func handle(_ request: BackupRequest, caller: Operator) async throws -> JSONValue {
        try backups.renew(request.id)
        return [:]
    }
}

/// `DELETE /_chappe/admin/v1/backups/{id}`: ends a backup.
struct EndBackup: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/backups/{id}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let backups: BackupService

    func handle(_ request: BackupRequest, caller: Operator) async throws -> JSONValue {
        try backups.end(request.id)
        return [:]
    }
}

extension Router {
    /// Adds the endpoints by which a backup is made. They are for the socket alone: they tell of files of the machine.
    public func addBackupRoutes(backups: BackupService, in environment: EndpointEnvironment) {
        add(BeginBackup(backups: backups), in: environment)
        add(RenewBackup(backups: backups), in: environment)
        add(EndBackup(backups: backups), in: environment)
    }
}
