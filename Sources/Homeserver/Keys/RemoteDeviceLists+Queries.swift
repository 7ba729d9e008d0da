import Matrix
import Store

/// Answers what is asked about the devices of users of other servers, as far as they are known.
extension RemoteDeviceLists {
    /// Users about whose devices somebody asks, by what is known of them.
    struct Known {
        /// Of those whose lists are up to date.
        var answer = KeyQueryAnswer()
        /// Those whose lists should be known and are not up to date.
        var stale: [UserID: UserNumber] = [:]
        /// Those of whose devices this server does not hear.
        var others: Set<UserID> = []
    }

    /// What is known of the devices of users.
    ///
    /// A list counts as up to date only if a room has been shared with the user without a break since it was asked for: in between, nobody
    /// would have told of changes.
    func known(_ users: [UserID: [DeviceID]]) async throws -> Known {
        var known = Known()
        let (numbers, lists) = try await store.read { reader in
            var numbers: [UserID: UserNumber] = [:]
            for user in users.keys { numbers[user] = try reader.identifiers.number(of: user) }
            var lists: [UserNumber: RemoteDeviceListRecord] = [:]
            for page in numbers.values.pages(of: 500) { lists.merge(try reader.remoteDevices.lists(of: page)) { $1 } }
            return (numbers, lists)
        }
        let certain = try await participation.sharingSince(lists.compactMapValues(\.freshPosition))
        let sharing = try await participation.sharing(among: numbers.values)
        var fresh: [UserID: UserNumber] = [:]
        for user in users.keys {
            guard let number = numbers[user], sharing.contains(number) else {
                known.others.insert(user)
                continue
            }
            if certain.contains(number) { fresh[user] = number } else { known.stale[user] = number }
        }
        known.answer = try await stored(fresh, only: users)
        return known
    }

    /// The devices of users as they are stored, whether that is up to date or not. Users of whom nothing is stored are left out.
    func stored(_ users: [UserID: UserNumber], only devices: [UserID: [DeviceID]]) async throws -> KeyQueryAnswer {
        var answer = KeyQueryAnswer()
        for page in users.pages(of: 200) {
            let numbers = page.map(\.value)
            let (lists, found) = try await store.read { reader in
                (try reader.remoteDevices.lists(of: numbers), try reader.remoteDevices.devices(of: numbers))
            }
            for (user, number) in page {
                guard let list = lists[number], list.fetched > 0 else { continue }
                let wanted = devices[user] ?? []
                var texts: [DeviceID: [UInt8]] = [:]
                for record in found[number] ?? [] where wanted.isEmpty || wanted.contains(record.device) {
                    if let text = try Self.text(of: record) { texts[record.device] = text }
                }
                answer.deviceKeys[user] = texts
                answer.masterKeys[user] = list.masterKey
                answer.selfSigningKeys[user] = list.selfSigningKey
            }
        }
        return answer
    }

    private static func text(of record: RemoteDeviceRecord) throws -> [UInt8]? {
        guard let keys = record.keys else { return nil }
        var unsigned = JSONObject()
        unsigned["device_display_name"] = record.displayName.map { .string($0) }
        return KeyText.text(of: try KeyText.parse(keys), adding: [], unsigned: .object(unsigned))
    }

    /// Asks for a user's list, as long as somebody wants to wait for it; it is asked for to the end in any case.
    ///
    /// - Throws: `RemoteServerFailure` if it cannot be had in time.
    func refresh(_ user: UserID, timeoutMilliseconds: Int64) async throws(RemoteServerFailure) {
        let outcome = await scheduler.within(milliseconds: timeoutMilliseconds) {
            [self] () -> Result<Bool, RemoteServerFailure> in
            do { return .success(try await refresh(user)) } catch let failure as RemoteServerFailure {
                return .failure(failure)
            } catch {
                return .failure(RemoteServerFailure(status: 500, message: "The devices could not be stored"))
            }
        }
        guard let outcome else {
            throw RemoteServerFailure(status: 504, message: "\(user.server) does not answer in time")
        }
        _ = try outcome.get()
    }
}
