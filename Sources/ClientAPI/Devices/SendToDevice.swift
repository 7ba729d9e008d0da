import Homeserver
import Matrix
import Web

/// [PUT /sendToDevice](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid): sends messages
/// to devices.
struct SendToDevice: Endpoint {
    static let routes: [Route] = .client(.put, "/sendToDevice/{eventType}/{txnId}")
    static let authentication: Authentication<Caller> = .allowingGuests
    static let rateLimit: RateLimitClass = .standard

    let toDevice: ToDeviceService

    /// A message to each of several hundred devices, encrypted for each, comes in one request.
    var body: BodyPolicy { .buffered(limitBytes: 8 << 20) }

    struct Request: RequestDecodable {
        let type: EventType
        let transaction: String
        let messages: [ToDeviceMessage]

        init(from input: RequestInput) throws {
            type = EventType(try input.path("eventType") as String)
            transaction = try input.path("txnId")
            var messages: [ToDeviceMessage] = []
            for (name, devices) in try input.body.required("messages", as: .map(of: .map(of: .rawObject))) {
                guard let user = UserID(name) else { throw MatrixError.invalidParameter("\(name) is no user") }
                for (device, content) in devices {
                    let target: ToDeviceTarget
                    if device == "*" {
                        target = .all
                    } else if let id = DeviceID(device) {
                        target = .device(id)
                    } else {
                        throw MatrixError.invalidParameter("A device has an impossible name")
                    }
                    messages.append(ToDeviceMessage(user: user, target: target, content: content))
                }
            }
            self.messages = messages
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await toDevice.send(
            request.messages, type: request.type, from: caller.user, caller.userID, device: caller.deviceID,
            transaction: request.transaction
        )
        return EmptyResponse()
    }
}
