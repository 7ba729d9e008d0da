import Homeserver
import Matrix
import Web

/// [PUT /_matrix/federation/v1/send/{txnId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid): events
/// and ephemeral messages of another server.
struct SendTransaction: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/send/{txnId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation
    var body: BodyPolicy { .buffered(limitBytes: ReceivedTransaction.maximumBytes) }

    let receiver: TransactionReceiver

    struct Request: RequestDecodable {
        let id: String
        let transaction: ReceivedTransaction

        init(from input: RequestInput) throws {
            id = try input.path("txnId")
            guard (1...255).contains(id.utf8.count), !id.utf8.contains(0) else {
                throw MatrixError.invalidParameter("A transaction ID has 1 to 255 bytes")
            }
            transaction = try ReceivedTransaction(input.body(options: .federation).json)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        .json(200, try await receiver.receive(request.transaction, id: request.id, from: caller.name))
    }
}
