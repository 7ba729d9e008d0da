import Homeserver
import Web

extension Router {
    /// Serves receipts and read markers.
    public func addReceiptRoutes(
        receipts: ReceiptService, presence: PresenceService, in environment: EndpointEnvironment
    ) {
        add(SendReceipt(receipts: receipts, presence: presence), in: environment)
        add(SetReadMarkers(receipts: receipts, presence: presence), in: environment)
    }
}
