import Homeserver
import Matrix
import Store
import Web

/// Everything that other servers may ask of rooms and push to this server, as endpoints.
public struct FederationEndpoints: Sendable {
    private let receiver: TransactionReceiver
    private let queries: RoomQueries
    private let serverName: ServerName
    private let clock: any Clock
    /// For what takes long.
    private let gates = ServerGates(permits: 3, maximumWaiting: 30)

    /// - Parameters:
    ///   - receiver: Takes transactions in.
    ///   - queries: Answers what is asked of rooms.
    ///   - serverName: This server.
    ///   - clock: Tells the time.
    public init(
        receiver: TransactionReceiver, queries: RoomQueries, serverName: ServerName, clock: any Clock
    ) {
        self.receiver = receiver
        self.queries = queries
        self.serverName = serverName
        self.clock = clock
    }

    /// Serves it.
    public func register(on router: Router, in environment: EndpointEnvironment) {
        router.add(SendTransaction(receiver: receiver), in: environment)
        router.add(GetEvent(queries: queries, serverName: serverName, clock: clock), in: environment)
        router.add(GetState(queries: queries, gates: gates), in: environment)
        router.add(GetStateIDs(queries: queries, gates: gates), in: environment)
        router.add(GetEventAuth(queries: queries, gates: gates), in: environment)
        router.add(
            GetBackfill(queries: queries, gates: gates, serverName: serverName, clock: clock), in: environment)
        router.add(GetMissingEvents(queries: queries, gates: gates), in: environment)
    }
}
