import Homeserver
import Matrix
import Store
import Web

/// Everything that other servers may ask, as endpoints.
public struct FederationEndpoints: Sendable {
    private let receiver: TransactionReceiver

    /// - Parameter receiver: Takes transactions in.
    public init(receiver: TransactionReceiver) {
        self.receiver = receiver
    }

    /// Serves it.
    public func register(on router: Router, in environment: EndpointEnvironment) {
        router.add(SendTransaction(receiver: receiver), in: environment)
    }
}
