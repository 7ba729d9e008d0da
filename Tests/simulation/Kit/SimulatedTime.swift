import Collections
import Homeserver

/// The time of a simulation: it stands still until whoever runs the simulation moves on to what is due next.
final class SimulatedTime: @unchecked Sendable {
    private struct Due: Comparable {
        let time: Int64
        let serial: Int
        let action: () -> Void

        static func < (left: Due, right: Due) -> Bool { (left.time, left.serial) < (right.time, right.serial) }
        static func == (left: Due, right: Due) -> Bool { left.serial == right.serial }
    }

    /// When a simulation begins, in milliseconds since 1970.
    static let start: Int64 = 1_700_000_000_000

    /// The time, in milliseconds since 1970.
    private(set) var now = SimulatedTime.start
    private var due = Heap<Due>()
    private var serial = 0

    /// When the next thing is due; `nil` if nothing is.
    var next: Int64? { due.min?.time }

    /// Has something happen later.
    func after(milliseconds: Int64, _ action: @escaping () -> Void) {
        serial += 1
        due.insert(Due(time: now + max(0, milliseconds), serial: serial, action: action))
    }

    /// Lets time pass in which nothing is due.
    func advance(to time: Int64) { now = max(now, time) }

    /// Moves on to what is due next and lets it happen.
    func step() {
        guard let next = due.popMin() else { return }
        now = max(now, next.time)
        next.action()
    }
}

/// A server's clock: right but for a constant error.
struct SimulatedClock: Clock {
    let time: SimulatedTime
    let errorMilliseconds: Int64

    var now: Int64 { time.now + errorMilliseconds }
}

/// A server's chance.
final class SimulatedRandomness: Randomness, @unchecked Sendable {
    private var generator: SeededGenerator

    init(_ generator: SeededGenerator) { self.generator = generator }

    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) } }
}

/// Calls back a process of a server while it lives.
struct SimulatedScheduler: Scheduler {
    let time: SimulatedTime
    let process: SimulatedProcess.Life

    func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
        time.after(milliseconds: milliseconds) { [process] in if process.isAlive { action() } }
    }
}
