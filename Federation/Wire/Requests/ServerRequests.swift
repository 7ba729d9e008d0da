import Matrix

/// [GET /_matrix/key/v2/server](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server)
public struct ServerKeysRequest: FederationRequest {
    /// A request for the server's own keys.
    public init() {}

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { RequestTarget("/_matrix/key/v2/server") }
    /// Nobody could verify a signature before knowing the keys.
    public var isSigned: Bool { false }
    /// One document.
    public var responseLimitBytes: Int { KeyDocument.maximumBytes }
    /// Events wait for it.
    public var timeoutMilliseconds: Int64 { 10_000 }

    /// The document, unverified.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON { json }
}

/// [POST /_matrix/key/v2/query](https://spec.matrix.org/v1.19/server-server-api/#post_matrixkeyv2query)
public struct NotaryRequest: FederationRequest {
    private let query: ServerKeyQuery

    /// A request for other servers' keys.
    public init(_ query: ServerKeyQuery) { self.query = query }

    /// POST.
    public var method: FederationMethod { .post }
    /// Path and query.
    public var target: RequestTarget { RequestTarget("/_matrix/key/v2/query") }
    /// What is wanted.
    public var body: [UInt8]? { query.body }
    /// Anyone may ask.
    public var isSigned: Bool { false }
    /// A document for each server.
    public var responseLimitBytes: Int { (1 << 20) + query.wanted.count * (16 << 10) }
    /// The notary may have to ask the servers itself.
    public var timeoutMilliseconds: Int64 { 20_000 }

    /// The answer, unverified.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON { json }
}

/// [GET /version](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1version)
public struct VersionRequest: FederationRequest {
    /// A request for the server's software.
    public init() {}

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("version") }
    /// Anyone may ask.
    public var isSigned: Bool { false }
    /// Two short texts.
    public var responseLimitBytes: Int { 16 << 10 }
    /// An administrator waits.
    public var timeoutMilliseconds: Int64 { 10_000 }

    /// Name and version, if the server tells.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> (name: String?, version: String?) {
        (name: json["server"]?["name"]?.string, version: json["server"]?["version"]?.string)
    }
}

/// [PUT /send/{txnId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid)
public struct SendTransactionRequest: FederationRequest {
    private let transaction: FederationTransaction
    private let id: String

    /// A request that hands a transaction over; `id` names it.
    public init(_ transaction: FederationTransaction, id: String) {
        self.transaction = transaction
        self.id = id
    }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget { .v1("send", id) }
    /// The transaction.
    public var body: [UInt8]? { transaction.body }
    /// An error for each event.
    public var responseLimitBytes: Int { 256 << 10 }
    /// Some servers process the events before they answer.
    public var timeoutMilliseconds: Int64 { 60_000 }

    /// What the receiver found wrong with single events.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [EventID: String] {
        var errors: [EventID: String] = [:]
        for (name, value) in (json["pdus"] ?? .emptyObject).members
        where errors.count < FederationTransaction.maximumPDUs {
            guard let id = EventID(name), let error = value["error"]?.string else { continue }
            errors[id] = String(error.prefix(500))
        }
        return errors
    }
}
