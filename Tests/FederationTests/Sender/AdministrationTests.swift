import AdminAPI
import Homeserver
import Matrix
import Store
import TestSupport
import Testing
import Web

@testable import FederationOutbound

/// What administrators see of the sender, and do to it.
@Suite struct AdministrationTests {
    private static let there = ServerName(trusted: "there.example")
    private static let path = "/_chappe/admin/v1/federation/destinations"

    /// No endpoint of the socket asks who the caller is.
    private struct Nobody: Authenticator {
        func authenticate(
            accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
        ) async throws -> Caller { throw MatrixError.unknownToken() }
    }

    private struct Steps: ServerProbe {
        func probe(_ server: ServerName) async -> [ServerProbeStep] {
            let isKnown = server.string == "there.example"
            return [
                ServerProbeStep(name: "find", isPassed: true, detail: "127.0.0.1:8448"),
                ServerProbeStep(name: "ask", isPassed: isKnown, detail: isKnown ? "Chappe" : "503"),
            ]
        }
    }

    private static func router(_ fixture: SenderFixture) -> Router {
        let router = Router()
        var environment = EndpointEnvironment(
            authenticator: Nobody(), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 })
        environment.trustsEverybody = true
        router.addFederationAdministrationRoutes(queue: fixture.sender, probe: Steps(), in: environment)
        return router
    }

    private static func ask(_ router: Router, _ method: HTTPMethod, _ target: String) async throws -> (Int, JSON) {
        let response = await router.respond(method, target)
        guard case .bytes(let bytes) = response.body else { return (response.status, .emptyObject) }
        return (response.status, try JSON(parsing: bytes))
    }

    @Test func theQueueIsListedAndAServerTriedAtOnce() async throws {
        var configuration = SenderConfiguration.quick
        configuration.backoff.startMilliseconds = 3_600_000
        configuration.backoff.capMilliseconds = 3_600_000
        try await SenderFixture.onEachEngine(configuration) { fixture in
            let (store, network) = (fixture.store, fixture.network)
            let router = Self.router(fixture)
            network.become { $0 == Self.there ? .isLost : .arrives }
            let alice = try await fixture.account("alice")
            var room = try await ScriptedRoom("room", in: store)
            try await room.set(.join, of: alice.id, in: store)
            // What is from before servers came is over by then: of a server that is behind, more is counted.
            try await eventually("alice is alone") { await fixture.sender.dispatched == store.journal.end }
            for server in ["there.example", "far.example"] {
                try await room.set(.join, of: SenderFixture.user("bob", server), in: store)
            }
            var expected: [String] = []
            for _ in 0..<7 { expected.append(try await room.send(by: alice.id, in: store).event.eventID.string) }
            let message = ToDeviceMessage(
                user: try SenderFixture.user("bob", "there.example"), target: .all, content: .emptyObject)
            try await fixture.toDevice.send(
                [message], type: "m.test", from: alice.number, alice.id, device: nil, transaction: "1")
            try await eventually("one has it and the other has failed") {
                let list = try await fixture.sender.destinations(after: nil, limit: 10)
                return list.count == 2 && list[0].pendingEvents == 0 && list[1].failures == 1
                    && list[1].pendingEvents == 7
            }
            let (status, body) = try await Self.ask(router, .get, Self.path)
            let list = body["destinations"]?.elements.map { $0 } ?? []
            #expect(status == 200 && list.map { $0["server_name"]?.string } == ["far.example", "there.example"])
            #expect(list[0]["failures"]?.int == 0 && list[0]["last_success_ts"]?.int != nil)
            #expect(list[1]["pending_events"]?.int == 7)
            #expect(list[1]["pending_to_device"]?.int == 1)
            #expect(list[1]["failures"]?.int == 1 && list[1]["last_error"]?.string == "lost")
            let next = list[1]["next_attempt_ts"]?.int ?? 0
            #expect(next > (list[1]["last_attempt_ts"]?.int ?? .max) && list[1]["first_failure_ts"]?.int != nil)

            let (_, first) = try await Self.ask(router, .get, "\(Self.path)?limit=1")
            #expect(first["destinations"]?.count == 1 && first["next"]?.string == "far.example")
            let (_, second) = try await Self.ask(router, .get, "\(Self.path)?limit=1&from=far.example")
            #expect(second["destinations"]?.elements.first { _ in true }?["server_name"]?.string == "there.example")
            #expect(try await Self.ask(router, .get, "\(Self.path)?from=not%20a%20name").0 == 400)

            network.become { _ in .arrives }
            #expect(try await Self.ask(router, .post, "\(Self.path)/there.example/retry").0 == 200)
            try await eventually("it is tried at once") { network.events(at: Self.there) == expected }
            #expect(try await Self.ask(router, .post, "\(Self.path)/far.example/retry").0 == 200)
            #expect(try await Self.ask(router, .post, "\(Self.path)/nowhere.example/retry").0 == 404)
            #expect(try await Self.ask(router, .post, "\(Self.path)/not%20a%20name/retry").0 == 400)
        }
    }

    @Test func aProbeSaysWhereItBreaksOff() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let router = Self.router(fixture)
            for (name, isReachable) in [("there.example", true), ("nowhere.example", false)] {
                let (status, body) = try await Self.ask(router, .post, "\(Self.path)/\(name)/probe")
                #expect(status == 200 && body["reachable"]?.bool == isReachable)
                #expect(body["steps"]?.elements.map { $0["passed"]?.bool } == [true, isReachable])
            }
        }
    }
}
