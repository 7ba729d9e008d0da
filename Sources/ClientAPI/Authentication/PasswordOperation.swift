import Homeserver
import Matrix
import Web

extension AuthenticatedOperation {
    /// An operation on the caller's own account that needs their password again. Application services have none, and need not
    /// authenticate ([device management](https://spec.matrix.org/v1.19/application-service-api/#deleting-devices)).
    ///
    /// - Parameters:
    ///   - name: What is done, and to what.
    ///   - caller: Whose password is needed.
    static func withPassword(_ name: String, of caller: Caller) -> AuthenticatedOperation {
        AuthenticatedOperation(name: name, user: caller.user, flows: caller.appServiceID == nil ? [[.password]] : [[]])
    }
}
