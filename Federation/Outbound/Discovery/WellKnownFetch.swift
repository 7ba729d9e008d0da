import Matrix

/// One look at `/.well-known/matrix/server`, with its redirects: says what to request, without requesting it.
///
/// [Server discovery](https://spec.matrix.org/v1.19/server-server-api/#getwell-knownmatrixserver)
struct WellKnownFetch: Sendable {
    /// What to do next.
    enum Action: Sendable, Hashable {
        /// Request this.
        case request(HTTPSAddress)
        /// The host delegates to a server.
        case delegate(ServerName, lifetimeMilliseconds: Int64)
        /// The host does not, or not in a way that counts.
        case none(Reason)
    }

    /// Why there is no delegation.
    enum Reason: Error, Sendable, Hashable {
        /// The host has answered, and what it says is no delegation.
        case refused(status: Int)
        /// The host cannot be reached, or has trouble.
        case unavailable
        /// It answers with what is no delegation.
        case malformed
        /// It redirects too often, in circles, or to where nobody should follow.
        case redirect
    }

    /// What an answer has said.
    struct Answer: Sendable {
        var status: Int
        var location: String?
        var cacheControl: [String]
        /// Seconds between `Date` and `Expires`, if both are there.
        var expiresInSeconds: Int64?
        /// The body, as far as it is within ``maximumBytes``; `nil` if it is longer.
        var body: [UInt8]?
    }

    /// The largest answer that is read, in bytes: one short name is all that counts.
    static let maximumBytes = 16 << 10
    private static let maximumRedirects = 5

    private var visited: [HTTPSAddress]

    init(host: String) {
        visited = [HTTPSAddress(host: host, port: 443, target: "/.well-known/matrix/server")]
    }

    /// Begins.
    func start() -> Action { .request(visited[0]) }

    /// Goes on with the answer to what was requested, or without one.
    mutating func received(_ answer: Answer?) -> Action {
        guard let answer else { return .none(.unavailable) }
        switch answer.status {
        case 200: return Self.read(answer)
        case 301, 302, 303, 307, 308:
            guard let location = answer.location, let last = visited.last, let next = last.following(location),
                !visited.contains(next), visited.count <= Self.maximumRedirects
            else { return .none(.redirect) }
            visited.append(next)
            return .request(next)
        case 500...: return .none(.unavailable)
        default: return .none(.refused(status: answer.status))
        }
    }

    private static func read(_ answer: Answer) -> Action {
        guard let body = answer.body, let json = try? JSON(parsing: body),
            let name = json["m.server"]?.string, let server = ServerName(name)
        else { return .none(.malformed) }
        return .delegate(server, lifetimeMilliseconds: WellKnownLifetime.of(answer))
    }
}

/// How long an answer of `.well-known` counts.
enum WellKnownLifetime {
    /// Without the answer saying anything: 24 hours.
    static let standardMilliseconds: Int64 = 24 * 3_600_000
    /// Whatever the answer says: 48 hours.
    static let longestMilliseconds: Int64 = 48 * 3_600_000
    /// Whatever the answer says: five minutes, so that no host is asked before each request.
    static let shortestMilliseconds: Int64 = 5 * 60_000
    /// The longest that a failure is remembered: one hour.
    static let longestFailureMilliseconds: Int64 = 3_600_000
    /// The shortest that a failure is remembered.
    static let shortestFailureMilliseconds: Int64 = 60_000

    static func of(_ answer: WellKnownFetch.Answer) -> Int64 {
        var seconds = answer.expiresInSeconds
        for field in answer.cacheControl {
            for directive in field.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = directive.split(separator: UInt8(ascii: "="), maxSplits: 1)
                let name = String(decoding: parts[0].filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self).lowercased()
                switch name {
                case "no-store", "no-cache": return shortestMilliseconds
                case "max-age":
                    let digits = (parts.count > 1 ? parts[1] : parts[0]).filter { (0x30...0x39).contains($0) }
                    // What is too large for a number is longer than anything that counts.
                    seconds = Int64(String(decoding: digits, as: UTF8.self)) ?? (digits.isEmpty ? nil : .max)
                default: break
                }
            }
        }
        guard let seconds else { return standardMilliseconds }
        return max(shortestMilliseconds, min(max(seconds, 0), longestMilliseconds / 1_000) * 1_000)
    }

    /// How long a host that fails for so many times in a row is left alone.
    static func ofFailure(times: Int) -> Int64 {
        min(shortestFailureMilliseconds << Int64(min(max(times - 1, 0), 10)), longestFailureMilliseconds)
    }
}
