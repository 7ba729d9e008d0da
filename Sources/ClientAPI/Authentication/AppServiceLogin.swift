import Homeserver
import Matrix
import Web

/// Logging in and registering as an application service does: with its own token, for its users.
///
/// [Server admin style permissions](https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions)
enum AppServiceLogin {
    /// The type of login.
    static let type = "m.login.application_service"

    /// The service that makes a request.
    ///
    /// - Throws: 401 `M_MISSING_TOKEN`, `M_UNKNOWN_TOKEN`.
    static func service(
        _ caller: Caller?, hasToken: Bool, _ accounts: AppServiceAccounts?
    ) throws(MatrixError) -> (AppServiceAccounts, AppService) {
        guard hasToken else { throw .missingToken }
        guard let accounts, let id = caller?.appServiceID, let service = accounts.services.service(id: id) else {
            throw .unknownToken()
        }
        return (accounts, service)
    }
}

extension Caller {
    /// The application service that makes the request.
    ///
    /// - Throws: 403 `M_FORBIDDEN` for anybody else.
    func requireAppService() throws(MatrixError) -> String {
        guard let appServiceID else { throw .forbidden("Only application services can do this") }
        return appServiceID
    }

    /// When an application service says that an event was sent; anybody else cannot say it.
    ///
    /// [Timestamp massaging](https://spec.matrix.org/v1.19/application-service-api/#timestamp-massaging)
    ///
    /// - Parameter text: The `ts` of the query.
    /// - Returns: Milliseconds since 1970.
    /// - Throws: 400 `M_INVALID_PARAM` for what no event can have.
    func timestamp(_ text: String?) throws(MatrixError) -> Int64? {
        guard appServiceID != nil, let text else { return nil }
        guard let time = Int64(text), (0..<(1 << 53)).contains(time) else {
            throw .invalidParameter("ts in the query must be a number of milliseconds since 1970")
        }
        return time
    }
}
