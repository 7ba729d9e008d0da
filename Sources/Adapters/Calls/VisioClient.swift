import Homeserver
import Matrix

/// Asks [Visio](https://github.com/suitenumerique/meet) for meetings, by its external API.
///
/// A token is asked for in the name of the user, with this server's credentials, and then the meeting with that token: the user owns it.
public struct VisioClient: MeetingService {
    private let url: String
    private let clientID: String
    private let clientSecret: String
    private let requests: ConferenceRequests

    private static let base = "/external-api/v1.0"
    private static let maximumURLBytes = 2_048
    private static let maximumNameBytes = 128

    /// - Parameters:
    ///   - url: Where Visio is, without a slash at the end.
    ///   - clientID: What Visio calls this server.
    ///   - clientSecret: What shows that it is this server.
    ///   - outside: Makes the requests.
    ///   - timeoutMilliseconds: How long each may take.
    public init(
        url: String, clientID: String, clientSecret: String, outside: OutsideRequests, timeoutMilliseconds: Int64
    ) {
        self.url = url
        self.clientID = clientID
        self.clientSecret = clientSecret
        requests = ConferenceRequests(outside: outside, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Makes a meeting.
    public func make(for address: String, accessLevel: String) async throws(ConferenceFailure) -> MadeMeeting {
        let token = try await token(for: address)
        let body: JSONValue = ["access_level": .string(accessLevel)]
        let room = try await requests.send(
            .init(
                method: .POST, url: "\(url)\(Self.base)/rooms/", token: token, contentType: "application/json",
                body: body.serialized()))
        guard let meeting = meeting(room) else { throw .malformed }
        // A meeting that lets in everybody is worse than none.
        guard meeting.accessLevel == accessLevel else { throw .malformed }
        return meeting
    }

    /// The newest meetings of somebody; `nil` if the application may make meetings and not list them.
    public func meetings(of address: String) async throws(ConferenceFailure) -> [MadeMeeting]? {
        let token = try await token(for: address)
        let page: JSON
        do throws(ConferenceFailure) {
            page = try await requests.send(.init(url: "\(url)\(Self.base)/rooms/?page_size=50", token: token))
        } catch .forbidden {
            return nil
        }
        guard let results = page["results"], results.isArray else { throw .malformed }
        return results.elements.compactMap { meeting($0) }
    }

    private func token(for address: String) async throws(ConferenceFailure) -> String {
        let form = [
            ("client_id", clientID), ("client_secret", clientSecret), ("grant_type", "client_credentials"),
            ("scope", address),
        ]
        let text = form.map { "\($0.0)=\(URLText.encoded($0.1))" }.joined(separator: "&")
        let answer: JSON
        do throws(ConferenceFailure) {
            answer = try await requests.send(
                .init(
                    method: .POST, url: "\(url)\(Self.base)/application/token/",
                    contentType: "application/x-www-form-urlencoded", body: Array(text.utf8)))
        } catch .notFound {
            // Visio knows nobody of that address, and does not make accounts.
            throw .forbidden
        }
        guard let token = answer["access_token"]?.string, !token.isEmpty,
            token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed }
        return token
    }

    /// A meeting as Visio describes it. Where people go is the service's own address and nothing else, whatever it says.
    private func meeting(_ room: JSON) -> MadeMeeting? {
        guard let name = room["id"]?.string, (1...Self.maximumNameBytes).contains(name.utf8.count),
            let slug = room["slug"]?.string, Self.isSlug(slug),
            let accessLevel = room["access_level"]?.string
        else { return nil }
        // Older versions do not say it.
        let said = room["url"]?.string ?? "\(url)/\(slug)"
        guard said.utf8.count <= Self.maximumURLBytes, said.utf8.starts(with: "\(url)/".utf8),
            said.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "<") })
        else { return nil }
        return MadeMeeting(name: name, url: said, accessLevel: accessLevel)
    }

    private static func isSlug(_ text: String) -> Bool {
        (1...100).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
    }
}
