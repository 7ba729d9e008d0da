import Homeserver
import Matrix
import Store
import Web

extension MediaReference {
    /// The file that a path names.
    ///
    /// - Throws: 404 `M_NOT_FOUND` for what cannot be the name of a file, without looking for it.
    init(in input: RequestInput) throws {
        guard let server = ServerName(try input.path("serverName") as String),
            let id = MediaID(try input.path("mediaId") as String)
        else { throw MatrixError.notFound("There is no such file") }
        self.init(server: server, id: id)
    }
}

extension MediaPatience {
    /// How long a request says it waits.
    init(in input: RequestInput) throws {
        self.init(
            milliseconds: try input.query("timeout_ms", as: .milliseconds) ?? 20_000,
            asksRemoteServers: try input.query("allow_remote", as: .bool) ?? true)
    }
}

/// Which file is to be sent, and what the client has of it.
struct DownloadRequest: RequestDecodable {
    let reference: MediaReference
    let fileName: String?
    let patience: MediaPatience
    let conditions: FileConditions
    let address: String

    init(from input: RequestInput) throws {
        reference = try MediaReference(in: input)
        address = input.request.remoteAddress
        fileName = input.request.pathParameters["fileName"].flatMap { $0.isEmpty ? nil : $0 }
        patience = try MediaPatience(in: input)
        conditions = FileConditions(input.request)
    }
}

/// Which thumbnail is to be sent, and what the client has of it.
struct ThumbnailRequest: RequestDecodable {
    let reference: MediaReference
    let key: ThumbnailKey
    let patience: MediaPatience
    let conditions: FileConditions
    let address: String

    enum Method: String {
        case crop, scale
    }

    init(from input: RequestInput) throws {
        reference = try MediaReference(in: input)
        address = input.request.remoteAddress
        let width = try input.requiredQuery("width", as: .int)
        let height = try input.requiredQuery("height", as: .int)
        guard width > 0, height > 0 else {
            throw MatrixError.invalidParameter("width and height must be at least 1")
        }
        let method: Method = try input.query("method", as: .choice) ?? .scale
        key = ThumbnailKey(
            coveringWidth: width, height: height, method: method == .crop ? .crop : .scale,
            isAnimated: try input.query("animated", as: .bool) ?? false)
        patience = try MediaPatience(in: input)
        conditions = FileConditions(input.request)
    }
}
