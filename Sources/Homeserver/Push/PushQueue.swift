import Collections
import Matrix
import Store

/// Decides whose turn it is to be told: pure, its holder tells it what happens and does what it says.
///
/// A pusher is told one thing at a time. Gateways take turns, and those that fail have few places of their own, so that a slow or dead one
/// delays nobody but those who chose it.
struct PushQueue {
    /// How telling a pusher went.
    enum Outcome: Sendable {
        /// There was nothing to tell.
        case done
        /// Something was told; there may be more.
        case more
        /// The gateway could not be told.
        case failed
    }

    private enum Phase { case ready, sending, resting }

    private struct Entry {
        var origin: ExactString
        var phase = Phase.ready
        /// Failures since it was last told something.
        var failures = 0
        /// Whether there is something new since it was last looked at.
        var isWoken = false
        /// Which of its rests this is: one that was cut short must not end the next.
        var rest: UInt64 = 0
    }

    /// How long somebody waits after a failure.
    struct Rest: Sendable, Hashable {
        let key: PusherKey
        let milliseconds: Int64
        fileprivate let number: UInt64
    }

    private struct Gateway {
        var ready: Deque<PusherKey> = []
        /// Whether it is among those who get a turn.
        var hasTurn = false
        var sending = 0
        /// Failures since one of its pushers was last told something.
        var failures = 0
        /// Who of those that wait after a failure.
        var resting: Set<PusherKey> = []
    }

    /// Places for gateways that answer, for each of them, and for those that have failed.
    static let places = 32
    static let placesPerGateway = 12
    static let placesOfFailing = 8
    /// So many failures in a row are the gateway's, not those of one pusher.
    static let failuresOfGateway = 3
    static let firstPauseMilliseconds: Int64 = 1_000
    static let longestPauseMilliseconds: Int64 = 3_600_000

    private var entries: [PusherKey: Entry] = [:]
    private var gateways: [ExactString: Gateway] = [:]
    /// The gateways that somebody waits for, in the order of their turns.
    private var turns: Deque<ExactString> = []
    private var sending = 0
    private var sendingToFailing = 0
    /// Which of those that are being told have one of the failing gateways' places.
    private var onProbation: Set<PusherKey> = []

    /// How many pushers have something to tell.
    var count: Int { entries.count }
    /// How many are being told something.
    var active: Int { sending + sendingToFailing }

    /// A pusher has something to tell.
    mutating func add(_ key: PusherKey, at origin: ExactString) {
        guard entries[key] != nil else {
            entries[key] = Entry(origin: origin)
            makeReady(key, at: origin)
            return
        }
        entries[key]?.isWoken = true
    }

    /// Those whose turn it is now; each must be finished.
    mutating func start() -> [PusherKey] {
        var started: [PusherKey] = []
        var passed = 0
        while passed < turns.count, let origin = turns.popFirst() {
            guard var gateway = gateways[origin] else { continue }
            gateways[origin]?.hasTurn = false
            gateway.hasTurn = !gateway.ready.isEmpty
            guard gateway.hasTurn else { continue }
            let isFailing = gateway.failures > 0
            let isFree =
                isFailing
                ? sendingToFailing < Self.placesOfFailing && gateway.sending == 0
                : sending < Self.places && gateway.sending < Self.placesPerGateway
            guard isFree, let key = gateway.ready.popFirst() else {
                gateways[origin]?.hasTurn = true
                turns.append(origin)
                passed += 1
                continue
            }
            passed = 0
            gateway.sending += 1
            if isFailing {
                sendingToFailing += 1
                onProbation.insert(key)
            } else {
                sending += 1
            }
            entries[key]?.phase = .sending
            entries[key]?.isWoken = false
            gateway.hasTurn = !gateway.ready.isEmpty
            if gateway.hasTurn { turns.append(origin) }
            gateways[origin] = gateway
            started.append(key)
        }
        return started
    }

    /// A pusher was told something, or not.
    ///
    /// - Returns: After what time ``rested(_:)`` is to be called, if it is.
    mutating func finish(_ key: PusherKey, _ outcome: Outcome) -> Rest? {
        guard let entry = entries[key], entry.phase == .sending else { return nil }
        let origin = entry.origin
        if onProbation.remove(key) != nil { sendingToFailing -= 1 } else { sending -= 1 }
        gateways[origin, default: Gateway()].sending -= 1
        switch outcome {
        case .done where !entry.isWoken:
            entries[key] = nil
            forget(origin)
        case .done:
            makeReady(key, at: origin)
        case .more:
            entries[key]?.failures = 0
            recover(origin)
            makeReady(key, at: origin)
        case .failed:
            let failures = entry.failures + 1
            entries[key]?.failures = failures
            entries[key]?.phase = .resting
            entries[key]?.rest = entry.rest + 1
            gateways[origin, default: Gateway()].failures += 1
            gateways[origin]?.resting.insert(key)
            return Rest(key: key, milliseconds: Self.pause(after: failures), number: entry.rest + 1)
        }
        return nil
    }

    /// A pusher has waited long enough since it failed.
    mutating func rested(_ rest: Rest) {
        guard let entry = entries[rest.key], entry.phase == .resting, entry.rest == rest.number else { return }
        gateways[entry.origin]?.resting.remove(rest.key)
        makeReady(rest.key, at: entry.origin)
    }

    /// How long is waited after so many failures in a row, in milliseconds: from a second to an hour.
    static func pause(after failures: Int) -> Int64 {
        min(longestPauseMilliseconds, firstPauseMilliseconds << Int64(min(max(failures, 1) - 1, 12)))
    }

    private mutating func makeReady(_ key: PusherKey, at origin: ExactString) {
        entries[key]?.phase = .ready
        var gateway = gateways.removeValue(forKey: origin) ?? Gateway()
        gateway.ready.append(key)
        if !gateway.hasTurn { turns.append(origin) }
        gateway.hasTurn = true
        gateways[origin] = gateway
    }

    /// A gateway answers: if it did not, all who waited for it have their turn.
    private mutating func recover(_ origin: ExactString) {
        guard let gateway = gateways[origin], gateway.failures > 0 else { return }
        gateways[origin]?.failures = 0
        guard gateway.failures >= Self.failuresOfGateway else { return }
        gateways[origin]?.resting = []
        for key in gateway.resting { makeReady(key, at: origin) }
    }

    private mutating func forget(_ origin: ExactString) {
        guard let gateway = gateways[origin], gateway.sending == 0, gateway.ready.isEmpty, gateway.resting.isEmpty
        else { return }
        gateways[origin] = nil
    }
}
