import Homeserver
import Matrix
import NIOCore
import NIOHTTP1
import Store

/// What hosts say in `/.well-known/matrix/server`: fetched when needed, remembered for as long as they say, within bounds.
final class WellKnownResolver: Sendable {
    private struct Known {
        /// The last delegation, and up to when it counts at most.
        var delegate: ServerName?
        var delegateUntilTS: Int64 = 0
        /// When to ask again.
        var staleTS: Int64 = 0
        /// Failures in a row.
        var failures = 0
    }

    private let pool: HTTPPool
    private let endpoints: EndpointFinder
    private let clock: any Clock
    private let port: Int
    private let known = GenerationalCache<String, Known>(budget: 20_000)

    private static let timeoutMilliseconds: Int64 = 10_000
    private static let maximumTries = 2

    /// - Parameter port: The port of HTTPS. Tests have another.
    init(pool: HTTPPool, endpoints: EndpointFinder, clock: any Clock, port: Int = 443) {
        self.pool = pool
        self.endpoints = endpoints
        self.clock = clock
        self.port = port
    }

    /// The server that a host delegates to, or `nil`.
    func delegate(of host: String) async -> ServerName? {
        let host = HostName.canonical(host)
        let before = known[host] ?? Known()
        let now = clock.now
        if now < before.staleTS { return before.delegateUntilTS > now ? before.delegate : nil }
        let outcome = await fetch(host)
        var after = before
        switch outcome {
        case .delegate(let server, let lifetime):
            after = Known(
                delegate: server, delegateUntilTS: now + WellKnownLifetime.longestMilliseconds, staleTS: now + lifetime
            )
        case .none(let reason):
            after.failures += 1
            after.staleTS = now + WellKnownLifetime.ofFailure(times: after.failures)
            // Trouble on the way is no reason to forget what the host has said; an answer is.
            if reason != .unavailable { after.delegate = nil }
        case .request: break
        }
        known.insert(host, after)
        return after.delegateUntilTS > now ? after.delegate : nil
    }

    private func fetch(_ host: String) async -> WellKnownFetch.Action {
        var fetch = WellKnownFetch(host: host)
        let deadline = NIODeadline.now() + .milliseconds(Self.timeoutMilliseconds)
        var action = fetch.start()
        while case .request(let address) = action {
            let left = (deadline - .now()).nanoseconds / 1_000_000
            let answer = try? await within(milliseconds: left) { try await self.request(address) }
            action = fetch.received(answer)
        }
        return action
    }

    private func request(_ address: HTTPSAddress) async throws -> WellKnownFetch.Answer {
        let (found, _) = try await endpoints.endpoints(
            of: address.host, port: address.port == 443 ? port : address.port,
            certificateName: address.certificateName)
        let request = OutgoingRequest(
            method: "GET", host: address.hostField, target: address.target,
            headers: [("User-Agent", FederationClient.userAgent), ("Accept", "application/json")])
        var failure: any Error = DeadlineExceeded()
        for endpoint in found.prefix(Self.maximumTries) {
            do {
                let response = try await pool.exchange(request, with: endpoint.peer, port: endpoint.port)
                return try await answer(response)
            } catch {
                failure = error
                if Task.isCancelled { break }
            }
        }
        throw failure
    }

    private func answer(_ response: IncomingResponse) async throws -> WellKnownFetch.Answer {
        var answer = WellKnownFetch.Answer(
            status: response.status, location: response.headers.first(name: "location"),
            cacheControl: response.headers[canonicalForm: "cache-control"].map { String($0) },
            expiresInSeconds: Self.expiry(response.headers), body: nil)
        if response.status == 200 { answer.body = try await response.collect(atMost: WellKnownFetch.maximumBytes) }
        return answer
    }

    private static func expiry(_ headers: HTTPHeaders) -> Int64? {
        guard let expires = headers.first(name: "expires"), let date = headers.first(name: "date") else { return nil }
        guard let date = HTTPTime.seconds(date) else { return nil }
        // What is no time has expired.
        return (HTTPTime.seconds(expires) ?? date) - date
    }
}
