import Store

/// When users are sent mail about what they have not read: after it has been left unread for a while, and then ever more rarely as long as they
/// do not come back.
public struct MailSchedule: Sendable {
    /// How long something is left to be read first, in milliseconds.
    public var delayMilliseconds: Int64
    /// How long after a mail there is no other, in milliseconds: at first, and after a time without mail.
    public var pauseMilliseconds: Int64
    /// How long at most, in milliseconds.
    public var longestPauseMilliseconds: Int64

    /// By how much the pause grows with each mail.
    private static let growth: Int64 = 6
    /// After so many of the longest pauses without a mail it begins anew.
    private static let resetPauses: Int64 = 2

    /// A schedule.
    public init(
        delayMilliseconds: Int64 = 600_000, pauseMilliseconds: Int64 = 600_000,
        longestPauseMilliseconds: Int64 = 86_400_000
    ) {
        self.delayMilliseconds = delayMilliseconds
        self.pauseMilliseconds = min(pauseMilliseconds, longestPauseMilliseconds)
        self.longestPauseMilliseconds = longestPauseMilliseconds
    }

    /// When there may be a mail, in milliseconds since 1970.
    ///
    /// - Parameters:
    ///   - since: When the oldest happened that has not been read.
    ///   - last: The last mail.
    func due(since: Int64, last: SentMail?) -> Int64 {
        max(since + delayMilliseconds, last.map { $0.sent + $0.pauseMilliseconds } ?? .min)
    }

    /// What is remembered of a mail that is sent now.
    func sent(now: Int64, last: SentMail?) -> SentMail {
        guard let last, now - last.sent < last.pauseMilliseconds + Self.resetPauses * longestPauseMilliseconds else {
            return SentMail(sent: now, pauseMilliseconds: pauseMilliseconds)
        }
        let (grown, isTooMuch) = max(last.pauseMilliseconds, 1).multipliedReportingOverflow(by: Self.growth)
        return SentMail(
            sent: now,
            pauseMilliseconds: isTooMuch ? longestPauseMilliseconds : min(grown, longestPauseMilliseconds))
    }
}
