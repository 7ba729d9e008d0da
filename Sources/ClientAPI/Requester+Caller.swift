import Homeserver
import Matrix
import Web

extension Requester {
    /// Who sent a request.
    init(_ caller: Caller) {
        self.init(
            id: caller.userID, number: UserNumber(caller.userNumber), device: caller.deviceID,
            // An application service may act without a device, and still repeats what it does not know to have arrived.
            transactionDevice: caller.deviceID == nil
                ? caller.appServiceID.flatMap { DeviceID("application service \($0)") } : nil)
    }
}
