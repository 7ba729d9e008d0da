import Homeserver
import Matrix
import Web

/// A file as other servers get it: what is said of it, which is nothing so far, and the file, in two parts.
///
/// [Content repository](https://spec.matrix.org/v1.19/server-server-api/#content-repository),
/// [RFC 2046, section 5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1)
struct FederatedFile {
    let file: StoredFile
    /// A text that nobody could have put into the file.
    let boundary: String

    var response: HTTPResponse {
        let head = Array(
            ("--\(boundary)\r\nContent-Type: application/json\r\n\r\n{}\r\n--\(boundary)\r\n"
                + "Content-Type: \(file.contentType)\r\n"
                + "Content-Disposition: "
                + ContentDisposition.field(contentType: file.contentType, fileName: file.uploadName) + "\r\n\r\n").utf8)
        let end = Array("\r\n--\(boundary)--\r\n".utf8)
        let file = file
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "multipart/mixed; boundary=\(boundary)"],
            body: .stream(contentLength: head.count + Int(file.size) + end.count) { writer in
                try await writer.write(head)
                switch file.source {
                case .file(let path): try await writer.write(file: path, range: 0..<file.size)
                case .pieces(let read): try await read(0..<file.size) { try await writer.write($0) }
                }
                try await writer.write(end)
            })
    }
}
