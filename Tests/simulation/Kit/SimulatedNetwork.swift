import Homeserver
import Matrix

/// What lies between the servers: it delays, loses, duplicates and reorders what they tell each other.
final class SimulatedNetwork: @unchecked Sendable {
    /// How bad the network is.
    struct Weather: Sendable {
        var requestLoss = 0.0
        var answerLoss = 0.0
        var duplication = 0.0
        /// How long a message takes, in milliseconds.
        var delay: ClosedRange<Int64> = 1...80
        /// How many messages take much longer.
        var slowness = 0.0
        /// How long these take, in milliseconds.
        var slowDelay: ClosedRange<Int64> = 200...90_000

        /// Everything arrives.
        static let fine = Weather()
    }

    /// From whom to whom.
    struct Link: Hashable, Sendable {
        let from: ServerName
        let to: ServerName
    }

    /// How long an answer is waited for, in milliseconds.
    static let timeoutMilliseconds: Int64 = 30_000

    var weather = Weather.fine
    /// Where nothing gets through.
    var cuts: Set<Link> = []
    /// The processes that are there.
    var processes: [ServerName: SimulatedProcess] = [:]

    /// Told of each membership that a server has let in on behalf of another that has heard of it.
    var onHandover: (Event, ServerName) -> Void = { _, _ in }
    /// The joins by which servers have last come into rooms through others.
    private(set) var entries: [RoomID: [ServerName: EventID]] = [:]

    /// Takes note that a server comes into a room.
    func enters(_ join: Event, _ server: ServerName) { entries[join.roomID, default: [:]][server] = join.eventID }

    private let time: SimulatedTime
    private let trace: Trace
    private var generator: SeededGenerator
    private var serial = 0

    init(time: SimulatedTime, trace: Trace, generator: SeededGenerator) {
        self.time = time
        self.trace = trace
        self.generator = generator
    }

    /// Asks another server, and waits for what comes back.
    ///
    /// - Parameters:
    ///   - what: What for, for the trace.
    ///   - handler: What the other server does; perhaps more than once.
    func ask<T: Sendable>(
        _ what: String, from origin: SimulatedProcess.Life, to destination: ServerName,
        _ handler: @escaping @Sendable (SimulatedProcess) async throws -> T
    ) async throws(RemoteServerFailure) -> T {
        let result = await withUnsafeContinuation { continuation in
            serial += 1
            begin(
                Exchange<T>(
                    name: "#\(serial) \(what)", origin: origin, destination: destination, handler: handler,
                    continuation: continuation))
        }
        return try result.get()
    }

    private func begin(_ exchange: Exchange<some Sendable>) {
        let copies = generator.chance(weather.duplication) ? 2 : 1
        for _ in 0..<copies {
            let delay = delay()
            if generator.chance(weather.requestLoss) {
                trace.note("\(exchange.label) is lost")
            } else {
                time.after(milliseconds: delay) { [self] in arrive(exchange) }
            }
        }
        time.after(milliseconds: Self.timeoutMilliseconds) {
            exchange.end(.failure(RemoteServerFailure(message: "no answer in time")))
        }
    }

    private func delay() -> Int64 {
        generator.within(generator.chance(weather.slowness) ? weather.slowDelay : weather.delay)
    }

    private func arrive(_ exchange: Exchange<some Sendable>) {
        guard !cuts.contains(Link(from: exchange.origin.server, to: exchange.destination)) else {
            return trace.note("\(exchange.label) does not get through")
        }
        guard let process = processes[exchange.destination] else {
            let delay = delay()
            return time.after(milliseconds: delay) {
                exchange.end(.failure(RemoteServerFailure(message: "connection refused")))
            }
        }
        trace.note(exchange.label)
        Task { [self] in
            let result = await exchange.perform(at: process)
            if process.life.isAlive { answer(exchange, result) }
        }
    }

    private func answer<T>(_ exchange: Exchange<T>, _ result: Result<T, RemoteServerFailure>) {
        let delay = delay()
        if case .failure(let failure) = result {
            trace.note("\(exchange.label) ✗ \(failure.status) \(failure.message)")
        }
        if generator.chance(weather.answerLoss) { return trace.note("\(exchange.label): the answer is lost") }
        time.after(milliseconds: delay) { [self] in
            guard !cuts.contains(Link(from: exchange.destination, to: exchange.origin.server)) else {
                return trace.note("\(exchange.label): the answer does not get through")
            }
            exchange.end(result)
        }
    }
}

/// A request on its way, and its answer.
private final class Exchange<T: Sendable>: @unchecked Sendable {
    let label: String
    let origin: SimulatedProcess.Life
    let destination: ServerName
    private let handler: @Sendable (SimulatedProcess) async throws -> T
    private var continuation: UnsafeContinuation<Result<T, RemoteServerFailure>, Never>?

    init(
        name: String, origin: SimulatedProcess.Life, destination: ServerName,
        handler: @escaping @Sendable (SimulatedProcess) async throws -> T,
        continuation: UnsafeContinuation<Result<T, RemoteServerFailure>, Never>
    ) {
        label = "\(origin.server)→\(destination) \(name)"
        self.origin = origin
        self.destination = destination
        self.handler = handler
        self.continuation = continuation
    }

    func perform(at process: SimulatedProcess) async -> Result<T, RemoteServerFailure> {
        do {
            return .success(try await handler(process))
        } catch let error as MatrixError {
            return .failure(
                RemoteServerFailure(status: error.status, code: error.code, message: error.message, isAnswer: true))
        } catch {
            return .failure(RemoteServerFailure(status: 500, message: "\(error)", isAnswer: true))
        }
    }

    /// The first answer counts; one for a process that is gone reaches nobody.
    func end(_ result: Result<T, RemoteServerFailure>) {
        guard origin.isAlive, let waiting = continuation else { return }
        continuation = nil
        waiting.resume(returning: result)
    }
}
