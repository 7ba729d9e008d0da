import Matrix
import Store

/// Says whether a server may be asked for its keys again: neither a server that is down nor an event with a made-up key is a reason to
/// ask at every event. Bounded: what was asked longest ago is forgotten.
final class FetchSchedule: Sendable {
    private struct Attempt {
        var time: Int64
        /// Failures in a row.
        var failures: Int
        /// Until when the answers that the server has given are paid for, in milliseconds: a pause for each.
        var paidUntil: Int64
    }

    /// What the answer is wanted for.
    enum Urgency {
        /// The server itself makes a request, or so it seems: it is there.
        case request
        /// Something that the server has signed has come from wherever.
        case event
        /// Somebody asks this server as a notary, perhaps for a document that reaches further than the one at hand.
        case notary

        /// How much of the usual pause is kept.
        var pauseDivisor: Int64 { self == .request ? 6 : 1 }

        /// So many answers more may be had at once: a key can be replaced right after it was asked for, and what is signed with the new
        /// one must count. Who asks a notary means to have the server asked, and is held to a rate of questions for that.
        var spareAnswers: Int64 { self == .notary ? 10 : 2 }

        /// So many failures in a row are not taken for a server that is down.
        var spareFailures: Int { self == .notary ? 2 : 0 }

        /// How long a failure is remembered at most, in milliseconds.
        var longestWaitMilliseconds: Int64 {
            switch self {
            case .request: 10_000
            case .event, .notary: 10 * 60_000
            }
        }
    }

    /// Whatever keys are missing, a server that answers is asked once in so long.
    private let pauseMilliseconds: Int64
    private let attempts = GenerationalCache<ServerName, Attempt>(budget: 20_000)

    init(pauseMilliseconds: Int64) { self.pauseMilliseconds = pauseMilliseconds }

    func permits(_ server: ServerName, for urgency: Urgency, now: Int64) -> Bool {
        guard let attempt = attempts[server] else { return true }
        // A clock that was set back must not lock a server out.
        guard attempt.time <= now else { return true }
        guard attempt.failures > urgency.spareFailures else {
            return now - attempt.time >= pauseMilliseconds / urgency.pauseDivisor
                || attempt.paidUntil - now <= urgency.spareAnswers * pauseMilliseconds
        }
        let wait = pauseMilliseconds << Int64(min(attempt.failures - 1, 10))
        return now - attempt.time >= min(wait, urgency.longestWaitMilliseconds)
    }

    func note(_ server: ServerName, isSuccess: Bool, now: Int64) {
        let last = attempts[server]
        let failures = isSuccess ? 0 : (last?.failures ?? 0) + 1
        // A clock that was set back owes nothing.
        let paid = min(max(last?.paidUntil ?? now, now), now + Urgency.notary.spareAnswers * pauseMilliseconds)
        attempts.insert(
            server, Attempt(time: now, failures: failures, paidUntil: isSuccess ? paid + pauseMilliseconds : paid))
    }
}
