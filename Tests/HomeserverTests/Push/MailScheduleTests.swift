import Store
import Testing

@testable import Homeserver

@Suite struct MailScheduleTests {
    private let schedule = MailSchedule(delayMilliseconds: 10, pauseMilliseconds: 100, longestPauseMilliseconds: 1_000)

    @Test func somethingIsLeftToBeReadFirst() {
        #expect(schedule.due(since: 5, last: nil) == 15)
        #expect(schedule.due(since: 5, last: SentMail(sent: 0, pauseMilliseconds: 100)) == 100)
        #expect(schedule.due(since: 500, last: SentMail(sent: 0, pauseMilliseconds: 100)) == 510)
    }

    @Test func thePauseGrowsAndBeginsAnew() {
        var now: Int64 = 50
        var last = schedule.sent(now: now, last: nil)
        #expect(last == SentMail(sent: 50, pauseMilliseconds: 100))
        var pauses: [Int64] = []
        for _ in 0..<3 {
            now += last.pauseMilliseconds
            last = schedule.sent(now: now, last: last)
            pauses.append(last.pauseMilliseconds)
        }
        #expect(pauses == [600, 1_000, 1_000])
        // As long as somebody only comes back now and then, it does not.
        #expect(schedule.sent(now: now + 2_999, last: last).pauseMilliseconds == 1_000)
        #expect(schedule.sent(now: now + 3_000, last: last).pauseMilliseconds == 100)
    }
}
