import Matrix

/// What one server pushes to another in one go.
///
/// [PUT /send](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid)
public struct FederationTransaction: Sendable {
    /// The most events in a transaction.
    public static let maximumPDUs = 50
    /// The most ephemeral messages in a transaction.
    public static let maximumEDUs = 100

    /// The server that sends it.
    public let origin: ServerName
    /// When, in milliseconds since 1970.
    public let originServerTS: Int64
    /// The events' JSON texts.
    public let pdus: [[UInt8]]
    /// The ephemeral messages.
    public let edus: [EphemeralMessage]

    /// A transaction.
    public init(origin: ServerName, originServerTS: Int64, pdus: [[UInt8]], edus: [EphemeralMessage]) {
        self.origin = origin
        self.originServerTS = originServerTS
        self.pdus = pdus
        self.edus = edus
    }

    /// The body of the request.
    public var body: [UInt8] {
        var writer = JSONWriter(capacity: pdus.reduce(256) { $0 + $1.count } + edus.reduce(0) { $0 + $1.content.count })
        writer.beginObject()
        writer.member("origin", origin)
        writer.member("origin_server_ts", originServerTS)
        writer.key("pdus")
        writer.beginArray()
        for pdu in pdus { writer.writeRaw(pdu) }
        writer.endArray()
        if !edus.isEmpty {
            writer.key("edus")
            writer.beginArray()
            for edu in edus {
                writer.beginObject()
                writer.member("edu_type", edu.type)
                writer.rawMember("content", edu.content)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
        return writer.bytes
    }
}

/// Something that one server tells another and that is part of no room's history (EDU).
///
/// [EDUs](https://spec.matrix.org/v1.19/server-server-api/#edus)
public struct EphemeralMessage: Sendable {
    /// The `edu_type`.
    public let type: String
    /// The `content`: the JSON text of an object.
    public let content: [UInt8]

    /// A message.
    public init(type: String, content: [UInt8]) {
        self.type = type
        self.content = content
    }
}
