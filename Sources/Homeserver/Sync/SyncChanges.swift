import Matrix
import Store

/// What has changed for one user in a span of the journal.
struct SyncChanges: Sendable {
    /// Events of rooms the user has to do with, in order.
    var events: [RoomNumber: [StoredEvent]] = [:]
    /// Rooms whose state changed otherwise than by an event.
    var resetRooms: Set<RoomNumber> = []
    /// Users whose memberships changed with those.
    var resetMembers: Set<UserNumber> = []
    /// Rooms in which the user's own membership changed.
    var ownMemberships: Set<RoomNumber> = []
    var receipts: [RoomNumber: [ReceiptRecord]] = [:]
    /// The user's own receipts: they change what is unread.
    var ownReceipts: Set<RoomNumber> = []
    var accountData: [AccountDataRecord] = []
    var hasMessages = false
    var hasKeyCounts = false
    /// Whether the user has said of threads whether they follow them. No news for `/sync`, which does not tell of it.
    var hasThreadSubscriptions = false
    /// Users whose devices changed, whether or not they concern the user.
    var deviceLists: Set<UserNumber> = []
    var presence: Set<UserNumber> = []

    var isEmpty: Bool {
        events.isEmpty && resetRooms.isEmpty && ownMemberships.isEmpty && receipts.isEmpty && ownReceipts.isEmpty
            && accountData.isEmpty
            && !hasMessages && !hasKeyCounts && deviceLists.isEmpty && presence.isEmpty
    }

    /// From entries of the journal's tail.
    init(_ entries: [JournalEntry], for user: Requester, rooms: UserRooms) {
        for entry in entries {
            switch entry.change {
            case .event(let event, let subject):
                guard rooms.rooms[event.room] != nil else { continue }
                events[event.room, default: []].append(event)
                if subject == user.number { ownMemberships.insert(event.room) }
            case .memberships(let room, let users):
                resetRooms.insert(room)
                resetMembers.formUnion(users ?? [])
                if users?.contains(user.number) ?? true { ownMemberships.insert(room) }
            case .receipt(let receipt):
                guard rooms.rooms[receipt.room]?.membership == .join else { continue }
                if receipt.user == user.number { ownReceipts.insert(receipt.room) }
                if receipt.type == "m.read" || receipt.user == user.number, receipt.type != "m.fully_read" {
                    receipts[receipt.room, default: []].append(receipt)
                }
            case .accountData(let data):
                if data.user == user.number { accountData.append(data) }
            case .toDevice(let message):
                if message.user == user.number, message.device == user.device { hasMessages = true }
            case .oneTimeKeys(let owner, let device):
                if owner == user.number, device == user.device { hasKeyCounts = true }
            case .deviceList(let owner): deviceLists.insert(owner)
            case .deviceListView(let owner, let viewer):
                if viewer == user.number { deviceLists.insert(owner) }
            case .presence(let owner): presence.insert(owner)
            case .threadSubscription(let owner, _, _):
                if owner == user.number { hasThreadSubscriptions = true }
            }
        }
        // The last word on an item is what counts.
        if accountData.count > 1 {
            var last: [String: AccountDataRecord] = [:]
            for data in accountData { last["\(data.room?.rawValue ?? 0) \(data.type)"] = data }
            accountData = last.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    /// From the database, for a client that is further behind than the tail reaches. Timelines are left to whoever builds
    /// the room's section: `changedRooms` says where something happened.
    init(
        user: Requester, rooms: UserRooms, after: StreamPosition, through: StreamPosition, store: Store,
        userSource: any SyncUserSource, devices: any SyncDeviceSource,
        presence presenceSource: (any SyncPresenceSource)?,
        timelineLimit: Int
    ) async throws {
        let known = Array(rooms.rooms.keys)
        let joined = rooms.joined
        events = try await store.read { reader in
            var events: [RoomNumber: [StoredEvent]] = [:]
            for room in try reader.rooms.changed(known, after: after) {
                let page = try reader.events.timeline(
                    room, after: after, through: through, limit: timelineLimit + 1, newestFirst: true
                )
                if !page.isEmpty { events[room] = page.reversed() }
            }
            return events
        }
        ownMemberships = Set(
            rooms.rooms.filter { $0.value.position > after && $0.value.position <= through }.map(\.key))
        for receipt in try await userSource.receipts(in: joined, for: user.number, after: after, through: through) {
            if receipt.user == user.number { ownReceipts.insert(receipt.room) }
            receipts[receipt.room, default: []].append(receipt)
        }
        accountData = try await userSource.accountData(of: user.number, after: after, through: through)
        hasMessages = true
        hasKeyCounts = true
        hasThreadSubscriptions = true
        deviceLists = Set(try await devices.deviceListChanges(for: user.number, after: after, through: through))
        if let presenceSource { presence = Set(try await presenceSource.changes(after: after, through: through)) }
    }
}
