import Matrix

/// Asks identity servers whether the keys still count by which they have signed invitations.
///
/// [GET /pubkey/isvalid](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyisvalid)
public struct IdentityKeys: InvitationKeys {
    private let servers: [IdentityServer]
    private let transport: any IdentityTransport

    /// - Parameters:
    ///   - servers: Those that the configuration names, wherever they are.
    ///   - transport: Makes the requests.
    public init(servers: [IdentityServer], transport: any IdentityTransport) {
        self.servers = servers
        self.transport = transport
    }

    /// Whether a key is valid: not if nobody says so.
    public func isValid(_ key: String, at url: String) async -> Bool {
        guard let address = WebAddress(url) else { return false }
        let target = address.description
        let isConfigured = servers.contains { target.utf8.starts(with: "\($0.url)/".utf8) }
        let separator = target.contains("?") ? "&" : "?"
        // What keys are written in has these three characters beside letters and digits.
        let text = key.replacing("+", with: "%2B").replacing("/", with: "%2F").replacing("=", with: "%3D")
        let answer = await transport.ask(
            "\(target)\(separator)public_key=\(text)", isConfigured: isConfigured, authorization: nil, body: nil)
        guard let answer, answer.status == 200, let json = try? JSON(parsing: answer.body) else { return false }
        return json["valid"]?.bool == true
    }
}
