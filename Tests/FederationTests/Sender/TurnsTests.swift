import Matrix
import Testing

@testable import FederationOutbound

/// Whose turn it is.
@Suite struct TurnsTests {
    private static func server(_ name: String) -> ServerName { ServerName(trusted: "\(name).example") }

    @Test func thoseWhoFailHoldUpNobodyElse() {
        var turns = Turns(healthy: 2, failing: 1)
        for name in ["f1", "f2"] { turns.enqueue(Self.server(name), isFailing: true) }
        for name in ["a", "b", "c"] { turns.enqueue(Self.server(name), isFailing: false) }
        turns.enqueue(Self.server("a"), isFailing: false)
        var order: [String] = []
        while let (server, _) = turns.next() { order.append(server.string) }
        #expect(order == ["a.example", "b.example", "f1.example"])
        turns.end(.healthy)
        #expect(turns.next()?.0 == Self.server("c"))
        #expect(turns.next() == nil)
        turns.end(.failing)
        #expect(turns.next()?.0 == Self.server("f2"))
        #expect(turns.next() == nil)
    }

    @Test func theLineIsServedInOrderAndDoesNotGrow() {
        var turns = Turns(healthy: 1, failing: 1)
        var served: [ServerName] = []
        for round in 0..<5_000 {
            turns.enqueue(Self.server("s\(round)"), isFailing: false)
            if round.isMultiple(of: 2), let (server, lane) = turns.next() {
                served.append(server)
                turns.end(lane)
            }
        }
        while let (server, lane) = turns.next() {
            served.append(server)
            turns.end(lane)
        }
        #expect(served == (0..<5_000).map { Self.server("s\($0)") })
    }
}
