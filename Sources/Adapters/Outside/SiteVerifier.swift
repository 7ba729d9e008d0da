import Homeserver
import Matrix

/// Asks Google ReCaptcha, or a service that speaks its protocol, whether a captcha was solved.
public struct SiteVerifier: CaptchaVerifier {
    /// The key with which clients show the task.
    public let publicKey: String
    private let privateKey: String
    private let address: String
    private let requests: OutsideRequests

    /// - Parameters:
    ///   - address: Where answers are verified.
    ///   - publicKey: The key for clients.
    ///   - privateKey: The key for this server.
    ///   - requests: Sends requests.
    public init(address: String, publicKey: String, privateKey: String, requests: OutsideRequests) {
        self.address = address
        self.publicKey = publicKey
        self.privateKey = privateKey
        self.requests = requests
    }

    /// Whether the service accepts what a client says was the answer.
    public func accepts(_ response: String) async throws -> Bool {
        let answer = try await requests.post(address, form: [("secret", privateKey), ("response", response)])
        guard answer.status == 200, let json = try? JSON(parsing: answer.body) else {
            throw MatrixError.unavailable("The service that judges captchas does not answer as it should")
        }
        return json["success"]?.bool == true
    }
}
