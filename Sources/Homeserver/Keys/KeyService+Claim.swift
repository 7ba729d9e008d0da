import Matrix
import Store

/// One-time keys that were claimed.
public struct KeyClaimAnswer: Sendable {
    /// For each user and device the key, as its client uploaded it.
    public var keys: [UserID: [DeviceID: OneTimeKeyRecord]] = [:]
    /// The servers that gave no answer.
    public var failures: [ServerName: RemoteServerFailure] = [:]

    /// No keys.
    public init() {}
}

extension KeyService {
    /// How many devices are served in one transaction, so that a long request does not hold up all others.
    private static let devicesPerWrite = 100

    /// Takes a one-time key of each device, or else its fallback key. Each one-time key is given out once.
    ///
    /// [POST /keys/claim](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim).
    ///
    /// - Parameters:
    ///   - wanted: For each user and device the algorithm.
    ///   - timeoutMilliseconds: How long to wait for other servers.
    public func claim(
        _ wanted: [UserID: [DeviceID: KeyAlgorithm]], timeoutMilliseconds: Int64 = RemoteTimeout.standardMilliseconds
    ) async throws -> KeyClaimAnswer {
        let local = wanted.filter { $0.key.isLocal(to: serverName) }
        let others = wanted.filter { !$0.key.isLocal(to: serverName) }
        async let remoteAnswer = claimOthers(others, timeoutMilliseconds)
        var answer = KeyClaimAnswer()
        answer.keys = try await claimLocal(local)
        let fromOthers = await remoteAnswer
        answer.keys.merge(fromOthers.keys) { $1 }
        answer.failures = fromOthers.failures
        return answer
    }

    /// Takes keys of devices of this server's users: for them, and for other servers.
    public func claimLocal(
        _ wanted: [UserID: [DeviceID: KeyAlgorithm]]
    ) async throws -> [UserID: [DeviceID: OneTimeKeyRecord]] {
        let list = wanted.flatMap { user, devices in devices.map { (user, $0.key, $0.value) } }
        var found: [UserID: [DeviceID: OneTimeKeyRecord]] = [:]
        for start in stride(from: 0, to: list.count, by: Self.devicesPerWrite) {
            let part = list[start..<min(start + Self.devicesPerWrite, list.count)]
            let now = clock.now
            let keys = try await store.write { writer in
                try part.map { userID, device, algorithm -> OneTimeKeyRecord? in
                    guard let user = try writer.read.identifiers.number(of: userID) else { return nil }
                    return try Self.take(algorithm, device, user, now, writer)
                }
            }
            for ((user, device, _), key) in zip(part, keys) { if let key { found[user, default: [:]][device] = key } }
        }
        return found
    }

    private static func take(
        _ algorithm: KeyAlgorithm, _ device: DeviceID, _ user: UserNumber, _ now: Int64, _ writer: StoreWriter
    ) throws -> OneTimeKeyRecord? {
        if try writer.read.oneTimeKeys.has(algorithm, of: device, of: user) {
            // First, because it makes other nodes' claims wait: see `OneTimeKeyWriter.claim`.
            try writer.journal.append(.oneTimeKeys(user, device))
            if let key = try writer.oneTimeKeys.claim(algorithm, of: device, of: user, at: now) { return key }
        }
        guard let (key, isUsed) = try writer.read.fallbackKeys.key(algorithm, of: device, of: user) else { return nil }
        if !isUsed {
            try writer.fallbackKeys.markUsed(algorithm, of: device, of: user)
            try writer.journal.append(.oneTimeKeys(user, device))
        }
        return key
    }

    private func claimOthers(_ wanted: [UserID: [DeviceID: KeyAlgorithm]], _ timeout: Int64) async -> KeyClaimAnswer {
        var byServer: [ServerName: [UserID: [DeviceID: KeyAlgorithm]]] = [:]
        for (user, devices) in wanted { byServer[user.server, default: [:]][user] = devices }
        let remote = remote
        let parts = await mapConcurrently(Array(byServer)) { server, wanted in
            var answer = KeyClaimAnswer()
            do throws(RemoteServerFailure) {
                let body = try await remote.claimKeys(wanted, at: server, timeoutMilliseconds: timeout)
                answer.keys = Self.accept(body, for: wanted)
            } catch {
                answer.failures[server] = error
            }
            return answer
        }
        var answer = KeyClaimAnswer()
        for part in parts {
            answer.keys.merge(part.keys) { $1 }
            answer.failures.merge(part.failures) { $1 }
        }
        return answer
    }

    /// The keys that another server was asked for; anything else in its answer is dropped.
    static func accept(
        _ body: JSON, for wanted: [UserID: [DeviceID: KeyAlgorithm]]
    ) -> [UserID: [DeviceID: OneTimeKeyRecord]] {
        var found: [UserID: [DeviceID: OneTimeKeyRecord]] = [:]
        for (user, devices) in wanted {
            guard let answered = body["one_time_keys"]?[user.string] else { continue }
            for (device, algorithm) in devices {
                for (name, key) in answered[device.string]?.members ?? JSON.emptyObject.members {
                    guard let id = DeviceKeyID(name), id.algorithm == algorithm else { continue }
                    found[user, default: [:]][device] = OneTimeKeyRecord(id: id, json: Array(key.bytes))
                }
            }
        }
        return found
    }
}
