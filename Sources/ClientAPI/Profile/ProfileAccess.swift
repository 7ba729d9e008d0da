import Matrix
import Web

/// Who may look at profiles.
public enum ProfileAccess: Sendable {
    /// Anybody, as the specification has it.
    case everybody
    /// Users of this server only.
    case users

    /// Accepts a caller.
    ///
    /// - Throws: 401 `M_MISSING_TOKEN`.
    func check(_ caller: Caller?) throws(MatrixError) {
        if self == .users, caller == nil { throw .missingToken }
    }
}
