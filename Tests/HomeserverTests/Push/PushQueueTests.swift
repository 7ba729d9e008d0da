import Matrix
import Store
import Testing

@testable import Homeserver

/// Whose turn it is to be told.
@Suite struct PushQueueTests {
    private func key(_ number: Int64) -> PusherKey { PusherKey(user: UserNumber(number), appID: "app", pushKey: "key") }

    @Test func aPusherIsToldOneThingAtATime() {
        var queue = PushQueue()
        queue.add(key(1), at: "a")
        #expect(queue.start() == [key(1)])
        queue.add(key(1), at: "a")
        #expect(queue.start().isEmpty)
        #expect(queue.finish(key(1), .more) == nil)
        #expect(queue.start() == [key(1)])
        #expect(queue.finish(key(1), .done) == nil)
        #expect(queue.count == 0 && queue.active == 0)
        #expect(queue.start().isEmpty)
    }

    @Test func whatComesWhileItIsLookedAtIsNotForgotten() {
        var queue = PushQueue()
        queue.add(key(1), at: "a")
        _ = queue.start()
        queue.add(key(1), at: "a")
        #expect(queue.finish(key(1), .done) == nil)
        #expect(queue.start() == [key(1)])
        _ = queue.finish(key(1), .done)
        #expect(queue.count == 0)
    }

    @Test func pausesDoubleFromASecondToAnHour() throws {
        #expect(PushQueue.pause(after: 1) == 1_000)
        #expect(PushQueue.pause(after: 2) == 2_000)
        #expect(PushQueue.pause(after: 12) == 2_048_000)
        #expect(PushQueue.pause(after: 13) == 3_600_000)
        #expect(PushQueue.pause(after: 1_000_000) == 3_600_000)
        var queue = PushQueue()
        queue.add(key(1), at: "a")
        var pauses: [Int64] = []
        for _ in 0..<4 {
            #expect(queue.start() == [key(1)])
            let failed = queue.finish(key(1), .failed)
            let rest = try #require(failed)
            pauses.append(rest.milliseconds)
            // What comes meanwhile does not cut it short.
            queue.add(key(1), at: "a")
            #expect(queue.start().isEmpty)
            queue.rested(rest)
        }
        #expect(pauses == [1_000, 2_000, 4_000, 8_000])
        _ = queue.start()
        _ = queue.finish(key(1), .more)
        _ = queue.start()
        #expect(queue.finish(key(1), .failed)?.milliseconds == 1_000)
    }

    @Test func aGatewayThatFailsHasOnePlace() {
        var queue = PushQueue()
        for number in 1...100 { queue.add(key(Int64(number)), at: "dead") }
        let first = queue.start()
        #expect(first.count == PushQueue.placesPerGateway)
        for key in first { _ = queue.finish(key, .failed) }
        #expect(queue.start().count == 1)
        // Others are not held up.
        for number in 201...300 { queue.add(key(Int64(number)), at: "good") }
        #expect(queue.start().count == PushQueue.placesPerGateway)
        queue.add(key(400), at: "other")
        #expect(queue.start() == [key(400)])
    }

    @Test func manyDeadGatewaysLeaveRoomForOthers() {
        var queue = PushQueue()
        for number in 1...100 { queue.add(key(Int64(number)), at: ExactString("dead\(number)")) }
        for _ in 0..<4 { for key in queue.start() { _ = queue.finish(key, .failed) } }
        for number in 1...100 { queue.add(key(Int64(number + 1_000)), at: ExactString("dead\(number)")) }
        #expect(queue.start().count == PushQueue.placesOfFailing)
        for number in 1...5 { queue.add(key(Int64(number + 2_000)), at: "good") }
        #expect(queue.start().count == 5)
    }

    @Test func whoeverWaitsForAGatewayIsToldOnceItIsBack() throws {
        var queue = PushQueue()
        for number in 1...4 { queue.add(key(Int64(number)), at: "a") }
        var rests: [PushQueue.Rest] = []
        for key in queue.start() {
            let rest = queue.finish(key, .failed)
            rests.append(try #require(rest))
        }
        #expect(queue.start().isEmpty)
        queue.rested(rests[0])
        #expect(queue.start() == [key(1)])
        _ = queue.finish(key(1), .more)
        #expect(Set(queue.start()) == Set((1...4).map { key(Int64($0)) }))
        // A pause that was cut short does not end the next one.
        _ = queue.finish(key(2), .failed)
        queue.rested(rests[1])
        #expect(queue.start().isEmpty)
    }

    @Test func onePusherThatFailsAloneKeepsItsPause() throws {
        var queue = PushQueue()
        queue.add(key(1), at: "a")
        queue.add(key(2), at: "a")
        #expect(queue.start().count == 2)
        let failed = queue.finish(key(1), .failed)
        let rest = try #require(failed)
        _ = queue.finish(key(2), .more)
        #expect(queue.start() == [key(2)])
        _ = queue.finish(key(2), .done)
        #expect(queue.start().isEmpty)
        queue.rested(rest)
        #expect(queue.start() == [key(1)])
    }
}
