import Homeserver
import Matrix
import Web

/// A page of a room directory, this server's or another's.
enum PublicRoomsResponse: ResponseEncodable {
    case page(PublicRoomsPage)
    case remote(JSON)

    func encode(into encoder: inout ResponseEncoder) {
        switch self {
        case .page(let page): page.write(into: &encoder.json)
        case .remote(let json): encoder.json.write(json)
        }
    }
}

extension PublicRoomsService {
    /// A page of this server's directory, or of another's.
    func response(_ query: PublicRoomsQuery, server: ServerName?) async throws -> PublicRoomsResponse {
        if let remote = try await remotePage(of: server, query) { return .remote(remote) }
        return .page(try await page(query))
    }
}
