import FederationWire
import Matrix
import Testing

@Suite struct FederationTransactionTests {
    @Test func bodyHoldsEventsAndMessagesAsTheyAre() throws {
        let origin = try #require(ServerName("a.example"))
        let transaction = FederationTransaction(
            origin: origin, originServerTS: 5, pdus: [Array(#"{"type":"x"}"#.utf8)],
            edus: [EphemeralMessage(type: "m.typing", content: Array(#"{"typing":true}"#.utf8))]
        )
        let json = try JSON(parsing: transaction.body)
        #expect(json["origin"]?.string == "a.example")
        #expect(json["origin_server_ts"]?.int == 5)
        #expect(json["pdus"]?.elements.first { _ in true }?["type"]?.string == "x")
        #expect(json["edus"]?.elements.first { _ in true }?["content"]?["typing"]?.bool == true)
    }
}
