import Matrix
import Store

/// A message for devices of a user of another server.
public struct OutgoingDeviceMessage: Sendable {
    /// Who sends it.
    public let sender: UserID
    /// Its type.
    public let type: EventType
    /// Whose devices it is for.
    public let user: UserID
    /// The device, or `nil` for all of them.
    public let device: DeviceID?
    /// The content: the text of a JSON object.
    public let content: [UInt8]

    /// A message.
    public init(sender: UserID, type: EventType, user: UserID, device: DeviceID?, content: [UInt8]) {
        self.sender = sender
        self.type = type
        self.user = user
        self.device = device
        self.content = content
    }
}

/// Takes messages for devices on other servers, to be delivered until they have arrived.
public protocol ToDeviceOutbox: Sendable {
    /// Takes messages over, in the transaction that carries out the request to send them.
    ///
    /// - Parameters:
    ///   - messages: The messages of one request.
    ///   - id: Names the request in 32 characters: the receiving server knows by it what it has already.
    func enqueue(_ messages: [OutgoingDeviceMessage], id: String, in writer: StoreWriter) throws
}
