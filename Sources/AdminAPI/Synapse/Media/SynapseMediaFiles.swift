import Homeserver
import Matrix
import Store
import Web

/// A request about one file.
struct SynapseMediaRequest: RequestDecodable {
    let file: MediaReference

    init(from input: RequestInput) throws {
        guard let id = MediaID(try input.path("mediaId")) else {
            throw MatrixError.invalidParameter("This is no media ID")
        }
        file = MediaReference(server: try input.path("serverName"), id: id)
    }
}

/// A request about one file of this server.
struct SynapseLocalMediaRequest: RequestDecodable {
    let id: MediaID

    init(from input: RequestInput) throws {
        guard let id = MediaID(try input.path("mediaId")) else {
            throw MatrixError.invalidParameter("This is no media ID")
        }
        self.id = id
    }
}

/// `GET /_synapse/admin/v1/media/{serverName}/{mediaId}`: a file that is here.
struct GetSynapseMedia: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/media/{serverName}/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseMediaRequest, caller: Operator) async throws -> JSONValue {
        let (file, uploader) = try await services.store.read { reader in
            let file = try reader.media.media(request.file)
            return (file, try file?.uploader.map { try reader.identifiers.user($0).string })
        }
        guard let file else { throw MatrixError.notFound("There is no such file") }
        var json = SynapseMedia.json(file)
        json["media_origin"] = .string(file.reference.server.string)
        json["user_id"] = uploader.json
        json["url_cache"] = .null
        if case .stored(let blob) = file.content {
            json["filesystem_id"] = .string(blob.name)
            json["sha256"] = .string(
                blob.sha256.map { byte in
                    (byte < 16 ? "0" : "") + String(byte, radix: 16)
                }.joined())
        } else {
            json["filesystem_id"] = .null
            json["sha256"] = .null
        }
        return ["media_info": json]
    }
}

/// `DELETE /_synapse/admin/v1/media/{serverName}/{mediaId}`: deletes a file of this server.
///
/// Answer: `deleted_media` (media IDs), `total`.
struct DeleteSynapseMedia: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/media/{serverName}/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseMediaRequest, caller: Operator) async throws -> JSONValue {
        guard request.file.server == services.accounts.serverName else {
            throw MatrixError(400, .unknown, "This is not a file of this server")
        }
        try await services.media.delete(
            request.file, alongside: services.noting(.mediaDelete, on: request.file.uri, by: caller))
        return ["deleted_media": [.string(request.file.id.string)], "total": 1]
    }
}

/// `POST /_synapse/admin/v1/media/quarantine/{serverName}/{mediaId}`: puts a file away, so that nobody gets it.
struct QuarantineSynapseMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/media/quarantine/{serverName}/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseMediaRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.media.setQuarantined(
            request.file, true, by: caller.actor.name,
            alongside: services.noting(.mediaQuarantine, on: request.file.uri, by: caller))
        return EmptyResponse()
    }
}

/// `POST /_synapse/admin/v1/media/unquarantine/{serverName}/{mediaId}`: brings a file back that was put away.
struct UnquarantineSynapseMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/media/unquarantine/{serverName}/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseMediaRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.media.setQuarantined(
            request.file, false, alongside: services.noting(.mediaUnquarantine, on: request.file.uri, by: caller))
        return EmptyResponse()
    }
}

/// `POST /_synapse/admin/v1/media/protect/{mediaId}`: protects a file of this server from being put away.
struct ProtectSynapseMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/media/protect/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseLocalMediaRequest, caller: Operator) async throws -> EmptyResponse {
        let file = MediaReference(server: services.accounts.serverName, id: request.id)
        try await services.media.setProtected(
            file, true, alongside: services.noting(.mediaProtect, on: file.uri, by: caller))
        return EmptyResponse()
    }
}

/// `POST /_synapse/admin/v1/media/unprotect/{mediaId}`: ends that.
struct UnprotectSynapseMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/media/unprotect/{mediaId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseLocalMediaRequest, caller: Operator) async throws -> EmptyResponse {
        let file = MediaReference(server: services.accounts.serverName, id: request.id)
        try await services.media.setProtected(
            file, false, alongside: services.noting(.mediaUnprotect, on: file.uri, by: caller))
        return EmptyResponse()
    }
}
