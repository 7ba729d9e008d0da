import Matrix
import Store

extension KeyService {
    /// How many users are looked up in one snapshot, so that a long query does not hold a connection all the time.
    private static let usersPerRead = 200

    /// The keys of users of this server and others, as a user of this server sees them.
    public func query(_ query: KeyQuery, by viewer: UserNumber) async throws -> KeyQueryAnswer {
        let local = query.users.filter { $0.key.isLocal(to: serverName) }
        let others = query.users.filter { !$0.key.isLocal(to: serverName) }
        async let remoteAnswer = queryOthers(others, query.timeoutMilliseconds, viewer)
        var answer = try await localKeys(local, seenBy: viewer)
        answer.merge(try await remoteAnswer)
        return answer
    }

    /// The keys of users of this server, as one of its users sees them or, for `nil`, as other servers do.
    ///
    /// Users that do not exist are left out; for others there is an entry even if they have no keys.
    public func localKeys(_ users: [UserID: [DeviceID]], seenBy viewer: UserNumber?) async throws -> KeyQueryAnswer {
        var answer = KeyQueryAnswer()
        let list = Array(users)
        for start in stride(from: 0, to: list.count, by: Self.usersPerRead) {
            let part = list[start..<min(start + Self.usersPerRead, list.count)]
            answer.merge(
                try await store.read { reader in
                    var answer = KeyQueryAnswer()
                    for (user, devices) in part {
                        guard let account = try reader.accounts.account(user) else { continue }
                        try Self.collect(user, account.user, devices, viewer, reader, &answer)
                    }
                    return answer
                }
            )
        }
        return answer
    }

    private static func collect(
        _ userID: UserID, _ user: UserNumber, _ devices: [DeviceID], _ viewer: UserNumber?, _ reader: StoreReader,
        _ answer: inout KeyQueryAnswer
    ) throws {
        let records = try reader.deviceKeys.keys(of: user, only: devices.isEmpty ? nil : devices)
        let crossSigning = try reader.crossSigningKeys.keys(of: user)
        var signatures: [ExactString: [KeySignatureRecord]] = [:]
        if !records.isEmpty || !crossSigning.isEmpty {
            for record in try reader.keySignatures.signatures(onKeysOf: user, seenBy: viewer) {
                signatures[record.target, default: []].append(record)
            }
        }
        var found: [DeviceID: [UInt8]] = [:]
        for record in records {
            var unsigned = JSONObject()
            unsigned["device_display_name"] = record.displayName.map { .string($0) }
            found[record.device] = KeyText.text(
                of: try KeyText.parse(record.json), adding: signatures[ExactString(record.device.string)] ?? [],
                unsigned: .object(unsigned)
            )
        }
        answer.deviceKeys[userID] = found
        for (usage, key) in crossSigning {
            let text = KeyText.text(
                of: try KeyText.parse(key.json), adding: signatures[ExactString(key.publicKey)] ?? []
            )
            switch usage {
            case .master: answer.masterKeys[userID] = text
            case .selfSigning: answer.selfSigningKeys[userID] = text
            case .userSigning: if user == viewer { answer.userSigningKeys[userID] = text }
            }
        }
    }

    // MARK: Other servers

    private func queryOthers(
        _ users: [UserID: [DeviceID]], _ timeout: Int64, _ viewer: UserNumber
    ) async throws -> KeyQueryAnswer {
        guard !users.isEmpty else { return KeyQueryAnswer() }
        var byServer: [ServerName: [UserID: [DeviceID]]] = [:]
        for (user, devices) in users { byServer[user.server, default: [:]][user] = devices }
        let remote = remote
        var answer = KeyQueryAnswer()
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
        for part in parts { answer.merge(part) }
        return try await addingOwnSignatures(answer, viewer)
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

/// Runs an operation on every element, a few at a time, and returns the results in no particular order.
func mapConcurrently<Element: Sendable, Result: Sendable>(
    _ elements: [Element], limit: Int = 32, _ operation: @escaping @Sendable (Element) async -> Result
) async -> [Result] {
    await withTaskGroup(of: Result.self) { group in
        var results: [Result] = []
        var rest = elements[...]
        for element in rest.prefix(limit) { group.addTask { await operation(element) } }
        rest = rest.dropFirst(limit)
        while let result = await group.next() {
            results.append(result)
            if let element = rest.popFirst() { group.addTask { await operation(element) } }
        }
        return results
    }
}
