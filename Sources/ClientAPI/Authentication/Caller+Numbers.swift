import Matrix
import Web

extension Caller {
    /// The user's number, as services take it.
    var user: UserNumber { UserNumber(userNumber) }

    /// The device that makes the request.
    ///
    /// - Throws: 403 for a caller without one.
    func requireDevice() throws(MatrixError) -> DeviceID {
        guard let deviceID else { throw .forbidden("This needs an access token that belongs to a device") }
        return deviceID
    }
}
