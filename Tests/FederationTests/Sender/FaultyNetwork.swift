import FederationOutbound
import FederationWire
import Homeserver
import Matrix
import Synchronization

/// A network between this server and others, and what the others have received. It does what a test says: loses
/// transactions or their answers, delays and repeats them.
final class FaultyNetwork: TransactionTransport {
    /// What becomes of a transaction.
    enum Fate: Sendable {
        case arrives
        /// It does not arrive.
        case isLost
        /// It arrives, but the sender does not hear of it.
        case answerIsLost
        /// It arrives twice.
        case arrivesTwice
        /// It arrives, and nobody says so as long as the sender waits.
        case hangs
        /// The receiver answers an error.
        case isRefused(status: Int)
    }

    /// A transaction as its receiver has it.
    struct Arrival: Sendable {
        let server: ServerName
        let id: String
        let events: [String]
        let edus: [(type: String, content: JSON)]
        let bytes: [UInt8]
    }

    private struct State {
        var arrivals: [Arrival] = []
        var attempts: [ServerName: Int] = [:]
        var underWay: [ServerName: Int] = [:]
        var violations: [String] = []
    }

    private let state = Mutex(State())
    private let fate: Mutex<@Sendable (ServerName, FederationTransaction) -> (Fate, delayMilliseconds: Int)>

    init(
        _ fate: @escaping @Sendable (ServerName, FederationTransaction) -> (Fate, delayMilliseconds: Int) = { _, _ in
            (.arrives, 0)
        }
    ) {
        self.fate = Mutex(fate)
    }

    /// From now on, this is what becomes of transactions.
    func become(_ fate: @escaping @Sendable (ServerName) -> Fate) { decide { server, _ in fate(server) } }

    /// From now on, this is what becomes of transactions.
    func decide(_ fate: @escaping @Sendable (ServerName, FederationTransaction) -> Fate) {
        self.fate.withLock { $0 = { server, transaction in (fate(server, transaction), 0) } }
    }

    /// What has arrived, each transaction as often as it did.
    func arrivals(at server: ServerName) -> [Arrival] {
        state.withLock { $0.arrivals.filter { $0.server == server } }
    }

    /// The events that a server has, in the order in which it first got them.
    func events(at server: ServerName) -> [String] {
        var seen: Set<String> = []
        return arrivals(at: server).flatMap(\.events).filter { seen.insert($0).inserted }
    }

    /// The messages of a type that a server has been sent.
    func edus(_ type: String, at server: ServerName) -> [JSON] {
        arrivals(at: server).flatMap(\.edus).filter { $0.type == type }.map(\.content)
    }

    func attempts(at server: ServerName) -> Int { state.withLock { $0.attempts[server] ?? 0 } }

    /// What no sender may do: two transactions at once, more than fits, one name for two things.
    var violations: [String] { state.withLock { $0.violations } }

    func send(
        _ transaction: FederationTransaction, id: String, to server: ServerName
    ) async throws(RemoteServerFailure) -> [EventID: String] {
        let (fate, delay) = fate.withLock { $0 }(server, transaction)
        begin(transaction, id, server)
        defer { state.withLock { $0.underWay[server, default: 0] -= 1 } }
        if delay > 0 { try? await Task.sleep(for: .milliseconds(delay)) }
        switch fate {
        case .arrives: receive(transaction, id, server)
        case .arrivesTwice:
            receive(transaction, id, server)
            receive(transaction, id, server)
        case .isLost: throw RemoteServerFailure(message: "lost")
        case .answerIsLost:
            receive(transaction, id, server)
            throw RemoteServerFailure(message: "no answer")
        case .hangs:
            receive(transaction, id, server)
            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(1)) }
            throw RemoteServerFailure(message: "broken off")
        case .isRefused(let status): throw RemoteServerFailure(status: status, message: "refused", isAnswer: true)
        }
        return [:]
    }

    private func begin(_ transaction: FederationTransaction, _ id: String, _ server: ServerName) {
        state.withLock { state in
            state.attempts[server, default: 0] += 1
            state.underWay[server, default: 0] += 1
            if state.underWay[server] != 1 { state.violations.append("two transactions at once to \(server)") }
            if transaction.pdus.count > 50 || transaction.edus.count > 100 || transaction.body.count > 5 << 20 {
                state.violations.append("a transaction of \(transaction.pdus.count) and \(transaction.edus.count)")
            }
            if transaction.pdus.isEmpty, transaction.edus.isEmpty { state.violations.append("nothing was sent") }
        }
    }

    private func receive(_ transaction: FederationTransaction, _ id: String, _ server: ServerName) {
        let bytes = transaction.pdus.flatMap { $0 } + transaction.edus.flatMap { Array($0.type.utf8) + $0.content }
        let arrival = Arrival(
            server: server, id: id,
            events: transaction.pdus.map { (try? JSON(parsing: $0))?["event_id"]?.string ?? "malformed" },
            edus: transaction.edus.map { ($0.type, (try? JSON(parsing: $0.content)) ?? JSONValue.null.json) },
            bytes: bytes)
        state.withLock { state in
            if let known = state.arrivals.first(where: { $0.server == server && $0.id == id }), known.bytes != bytes {
                state.violations.append("\(id) stands for two transactions to \(server)")
            }
            state.arrivals.append(arrival)
        }
    }
}
