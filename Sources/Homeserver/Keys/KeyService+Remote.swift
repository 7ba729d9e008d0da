import Matrix
import Store

/// Keys of users of other servers: those that are known here, and otherwise what their servers say.
extension KeyService {
    /// Of so many users of one server the lists are asked for one by one, to be kept; of more, all at once, and the lists later.
    private static let maximumRefreshed = 20

    func queryOthers(
        _ users: [UserID: [DeviceID]], _ timeout: Int64, _ viewer: UserNumber
    ) async throws -> KeyQueryAnswer {
        guard !users.isEmpty else { return KeyQueryAnswer() }
        guard let lists else { return try await addingOwnSignatures(await ask(users, timeout), viewer) }
        let known = try await lists.known(users)
        var answer = known.answer
        var asked = users.filter { known.others.contains($0.key) }
        for (server, stale) in Dictionary(grouping: known.stale, by: \.key.server) {
            let numbers = Dictionary(stale.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            if stale.count > Self.maximumRefreshed {
                try await lists.want(Array(numbers.values))
                for user in numbers.keys { asked[user] = users[user] }
                continue
            }
            let failures = await refresh(Array(numbers.keys), timeout, lists)
            // A server that refuses, or does not know the operation, may know the other one.
            for (user, failure) in failures where failure.isDefinite { asked[user] = users[user] }
            if let failure = failures.values.first(where: { !$0.isDefinite }) { answer.failures[server] = failure }
            // Of those whose server is silent what was known last: better than to send them nothing.
            let stored = numbers.filter { asked[$0.key] == nil }
            answer.merge(try await lists.stored(stored, only: users))
        }
        answer.merge(await ask(asked, timeout))
        return try await addingOwnSignatures(answer, viewer)
    }

    /// Asks for the lists of users of one server.
    ///
    /// - Returns: Those that could not be had, and why.
    private func refresh(
        _ users: [UserID], _ timeout: Int64, _ lists: RemoteDeviceLists
    ) async -> [UserID: RemoteServerFailure] {
        let outcomes = await mapConcurrently(users, limit: 8) { user -> (UserID, RemoteServerFailure?) in
            do throws(RemoteServerFailure) {
                try await lists.refresh(user, timeoutMilliseconds: timeout)
                return (user, nil)
            } catch {
                return (user, error)
            }
        }
        var failures: [UserID: RemoteServerFailure] = [:]
        for (user, failure) in outcomes { failures[user] = failure }
        return failures
    }

    /// Asks the users' servers, each about all of its users at once.
    private func ask(_ users: [UserID: [DeviceID]], _ timeout: Int64) async -> KeyQueryAnswer {
        var byServer: [ServerName: [UserID: [DeviceID]]] = [:]
        for (user, devices) in users { byServer[user.server, default: [:]][user] = devices }
        let remote = remote
        let parts = await mapConcurrently(Array(byServer)) { server, users in
            do throws(RemoteServerFailure) {
                let body = try await remote.queryKeys(users, at: server, timeoutMilliseconds: timeout)
                return Self.accept(body, for: users)
            } catch {
                var failed = KeyQueryAnswer()
                failed.failures[server] = error
                return failed
            }
        }
        var answer = KeyQueryAnswer()
        for part in parts { answer.merge(part) }
        return answer
    }

    /// What another server says of the users it was asked about; anything else in its answer is dropped.
    static func accept(_ body: JSON, for users: [UserID: [DeviceID]]) -> KeyQueryAnswer {
        var answer = KeyQueryAnswer()
        for (user, wanted) in users {
            if let devices = body["device_keys"]?[user.string], devices.isObject {
                var found: [DeviceID: [UInt8]] = [:]
                for (name, keys) in devices.members {
                    guard let device = DeviceID(name), wanted.isEmpty || wanted.contains(device),
                        KeyText.isString(keys["user_id"], user.string), KeyText.isString(keys["device_id"], name)
                    else { continue }
                    found[device] = Array(keys.bytes)
                }
                answer.deviceKeys[user] = found
            }
            let key = { (name: String) -> [UInt8]? in
                guard let key = body[name]?[user.string], KeyText.isString(key["user_id"], user.string) else {
                    return nil
                }
                return Array(key.bytes)
            }
            answer.masterKeys[user] = key("master_keys")
            answer.selfSigningKeys[user] = key("self_signing_keys")
        }
        return answer
    }

    /// The viewer's signatures on master keys of others are known here alone.
    private func addingOwnSignatures(_ answer: KeyQueryAnswer, _ viewer: UserNumber) async throws -> KeyQueryAnswer {
        guard !answer.masterKeys.isEmpty else { return answer }
        return try await store.read { reader in
            var answer = answer
            for (userID, text) in answer.masterKeys {
                guard let user = try reader.identifiers.number(of: userID),
                    let json = try? JSON(parsing: text),
                    let key = CrossSigningKey(json, usage: .master, owner: userID)
                else { continue }
                let signatures = try reader.keySignatures.signatures(onKeysOf: user, seenBy: viewer)
                    .filter { $0.target == ExactString(key.publicKey.base64) }
                if !signatures.isEmpty { answer.masterKeys[userID] = KeyText.text(of: json, adding: signatures) }
            }
            return answer
        }
    }
}
