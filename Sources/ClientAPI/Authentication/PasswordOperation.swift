import Homeserver
import Matrix
import Web

extension AuthenticatedOperation {
    /// An operation on the caller's own account that needs their password again.
    ///
    /// - Parameters:
    ///   - name: What is done, and to what.
    ///   - caller: Whose password is needed.
    static func withPassword(_ name: String, of caller: Caller) -> AuthenticatedOperation {
        AuthenticatedOperation(name: name, user: caller.user, flows: [[.password]])
    }
}
