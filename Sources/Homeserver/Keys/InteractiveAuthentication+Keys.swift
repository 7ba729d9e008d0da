import Matrix
import Store

extension InteractiveAuthentication: KeyReplacementAuthorization {
    /// Asks for the password.
    public func authorizeKeyReplacement(
        of user: UserNumber, auth: JSON?
    ) async throws -> @Sendable (StoreWriter) throws -> Void {
        let operation = AuthenticatedOperation(
            name: "POST keys/device_signing/upload", user: user, flows: [[.password]])
        let authorization = try await authorize(operation, auth: auth)
        return { writer in try self.finish(authorization, in: writer) }
    }
}
