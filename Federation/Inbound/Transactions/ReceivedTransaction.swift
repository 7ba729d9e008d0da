import FederationWire
import Matrix

/// What another server pushes in one go, as it has been received.
///
/// [Transactions](https://spec.matrix.org/v1.19/server-server-api/#transactions)
package struct ReceivedTransaction: Sendable {
    /// The largest body: every event as large as one may be, and more than twice as much for the rest.
    static let maximumBytes = 8 << 20

    /// The events.
    let pdus: [JSON]
    /// The ephemeral messages, those left out that are none.
    let edus: [(type: String, content: JSON)]

    /// Reads the body of a request.
    ///
    /// - Throws: 400 if it is no transaction, or one of more than is allowed.
    package init(_ body: JSON) throws(MatrixError) {
        pdus = try Self.list(body["pdus"], "pdus", atMost: FederationTransaction.maximumPDUs)
        edus = try Self.list(body["edus"], "edus", atMost: FederationTransaction.maximumEDUs).compactMap { edu in
            guard let type = edu["edu_type"]?.string, let content = edu["content"], content.isObject else { return nil }
            return (type, content)
        }
    }

    private static func list(_ json: JSON?, _ name: String, atMost limit: Int) throws(MatrixError) -> [JSON] {
        guard let json, !json.isNull else { return [] }
        guard json.isArray else { throw .badJSON("\(name) must be an array") }
        var elements: [JSON] = []
        for element in json.elements {
            guard elements.count < limit else { throw .invalidParameter("There may be \(limit) \(name) at the most") }
            elements.append(element)
        }
        return elements
    }
}
