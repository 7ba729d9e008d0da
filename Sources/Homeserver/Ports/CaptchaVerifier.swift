/// Asks a service whether somebody has shown that they are no program.
///
/// [Google ReCaptcha](https://spec.matrix.org/v1.19/client-server-api/#google-recaptcha); services that speak its protocol do too.
public protocol CaptchaVerifier: Sendable {
    /// The key with which clients show the task.
    var publicKey: String { get }

    /// Whether the service accepts what a client says was the answer.
    ///
    /// - Throws: `MatrixError` 503 if the service cannot be asked.
    func accepts(_ response: String) async throws -> Bool
}
