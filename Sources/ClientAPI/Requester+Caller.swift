import Homeserver
import Matrix
import Web

extension Requester {
    /// Who sent a request.
    init(_ caller: Caller) {
        self.init(id: caller.userID, number: UserNumber(caller.userNumber), device: caller.deviceID)
    }
}
