import Homeserver
import Matrix

/// A Central Authentication Service.
///
/// [CAS protocol](https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html), version 2: tickets are validated
/// at `/proxyValidate`, which also takes those that a proxy was given.
public struct CASProvider: SingleSignOnProvider {
    /// `cas`.
    public let id = "cas"
    /// Its name for people.
    public let name: String
    private let serverURL: String
    private let requests: OutsideRequests

    /// - Parameters:
    ///   - serverURL: The service's address, without a slash at the end.
    ///   - name: Its name for people.
    ///   - requests: Sends requests.
    public init(serverURL: String, name: String, requests: OutsideRequests) {
        self.serverURL = serverURL
        self.name = name
        self.requests = requests
    }

    /// The service's login page.
    public func loginURL(returningTo service: String) -> String {
        "\(serverURL)/login?service=\(URLText.encoded(service))"
    }

    /// Whom a ticket was given to.
    public func user(ticket: String, service: String) async throws -> String? {
        let answer = try await requests.get(
            "\(serverURL)/proxyValidate?ticket=\(URLText.encoded(ticket))&service=\(URLText.encoded(service))")
        guard answer.status == 200, let user = CASResponse.user(in: answer.body) else { return nil }
        return user
    }
}
