import Homeserver
import Matrix
import Web

/// A file as it is sent.
struct FileResponse {
    let file: StoredFile
    /// The name that clients save it under.
    let name: String?
    /// Whether anyone may have it who knows its URI, so that proxies may keep it too.
    let isPublic: Bool

    /// The file, the part of it that is wanted, or that the client has it already.
    func response(to conditions: FileConditions) -> HTTPResponse {
        let tag = "\"\(Base64.encodeURLSafe(file.sha256))\""
        var headers: HTTPHeaders = [
            "ETag": tag,
            // What a URI stands for never changes; but it can be put away, so that proxies must ask again one day.
            "Cache-Control": isPublic
                ? "public, max-age=31536000, s-maxage=86400, immutable" : "private, max-age=31536000, immutable",
            "Content-Security-Policy": Self.contentSecurityPolicy,
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow, noarchive, noimageindex",
        ]
        if conditions.matches(tag) { return HTTPResponse(status: 304, headers: headers) }
        headers["Accept-Ranges"] = "bytes"
        switch conditions.part(of: file.size, tag: tag) {
        case .unsatisfiable:
            var response = HTTPResponse.error(MatrixError(416, .unknown, "The file has no such part"))
            response.headers["Content-Range"] = "bytes */\(file.size)"
            return response
        case .all:
            describe(&headers)
            return HTTPResponse(status: 200, headers: headers, body: body(0..<file.size))
        case .some(let range):
            describe(&headers)
            headers["Content-Range"] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
            return HTTPResponse(status: 206, headers: headers, body: body(range))
        }
    }

    private func describe(_ headers: inout HTTPHeaders) {
        headers["Content-Type"] = file.contentType
        headers["Content-Disposition"] = ContentDisposition.field(contentType: file.contentType, fileName: name)
    }

    private func body(_ range: Range<Int64>) -> ResponseBody {
        switch file.source {
        case .file(let path): .file(path: path, range: range)
        case .pieces(let read):
            .stream(contentLength: Int(range.count)) { writer in
                try await read(range) { piece in try await writer.write(piece) }
            }
        }
    }

    /// As the [specification](https://spec.matrix.org/v1.19/client-server-api/#content-repository) recommends.
    private static let contentSecurityPolicy =
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';"
}
