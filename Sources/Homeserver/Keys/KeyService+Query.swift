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

    /// The devices of a user of this server, as other servers are told of them.
    public struct DeviceListing: Sendable {
        /// The last update that is in it.
        public let streamID: Int64
        /// The devices that have identity keys, each with what its user calls it and the text of its keys.
        public let devices: [(device: DeviceID, displayName: String?, keys: [UInt8])]
        /// The text of the master key.
        public let masterKey: [UInt8]?
        /// The text of the self-signing key.
        public let selfSigningKey: [UInt8]?
    }

    /// All devices of a user of this server, at one moment.
    ///
    /// [GET /user/devices](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid)
    ///
    /// - Throws: 404 `M_NOT_FOUND` if there is no such user here.
    public func deviceListing(of user: UserID) async throws -> DeviceListing {
        let isOwn = user.isLocal(to: serverName)
        let listing = try await store.read { reader -> DeviceListing? in
            guard isOwn, let account = try reader.accounts.account(user) else { return nil }
            var answer = KeyQueryAnswer()
            try Self.collect(user, account.user, [], nil, reader, &answer)
            let keys = answer.deviceKeys[user] ?? [:]
            return DeviceListing(
                streamID: try reader.deviceAnnouncements.streamID(of: account.user),
                devices: try reader.devices.devices(of: account.user).compactMap { device in
                    keys[device.id].map { (device.id, device.displayName, $0) }
                },
                masterKey: answer.masterKeys[user], selfSigningKey: answer.selfSigningKeys[user]
            )
        }
        guard let listing else { throw MatrixError.notFound("There is no such user here") }
        return listing
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
