import Logging
import Matrix
import Store
import Synchronization

/// What is known of the devices and cross-signing keys of users of other servers who share a room with users of this one.
///
/// A list is asked for as a whole once, and then kept up to date by what its user's server tells. Where that has a gap, or cannot be
/// understood, the list counts as stale, in the database, until it has been asked for again: now, and when that fails, later. So nothing
/// is missed by a crash, by a server that is down, or by messages that are lost or come in another order.
///
/// [Device management](https://spec.matrix.org/v1.19/server-server-api/#device-management)
public final class RemoteDeviceLists: Sendable {
    struct State {
        /// Servers whose users' lists are being asked for.
        var active: Set<ServerName> = []
        /// Servers whose users' lists could not be had.
        var failing: Set<ServerName> = []
        /// When it is looked next for what is due, in the clock's milliseconds.
        var alarm: Int64?
        var isStopped = false
    }

    let store: Store
    let clock: any Clock
    let scheduler: any Scheduler
    let participation: Participation
    let remote: any RemoteDevices
    let logger: Logger
    let flights = SingleFlight<UserID, Bool>()
    let state = Mutex(State())

    /// Updates that are remembered of a user: another may name any of them as the one before.
    private static let rememberedUpdates = 50
    /// How long a list that has just been asked for is left alone, in milliseconds.
    static let pauseMilliseconds: Int64 = 1_000

    /// - Parameters:
    ///   - participation: Knows with whom this server shares rooms.
    ///   - remote: Asks other servers.
    public init(
        store: Store, clock: any Clock, scheduler: any Scheduler, participation: Participation,
        remote: any RemoteDevices, logger: Logger
    ) {
        self.store = store
        self.clock = clock
        self.scheduler = scheduler
        self.participation = participation
        self.remote = remote
        self.logger = logger
    }

    // MARK: What servers tell

    /// Of `users`, those of whose devices this server wants to hear: who share a room with a user of this server.
    public func wanted(among users: Set<UserID>) async throws -> [UserID: UserNumber] {
        guard !users.isEmpty else { return [:] }
        let known = try await store.read { reader in
            var known: [UserID: UserNumber] = [:]
            for user in users { known[user] = try reader.identifiers.number(of: user) }
            return known
        }
        let sharing = try await participation.sharing(among: known.values)
        return known.filter { sharing.contains($0.value) }
    }

    /// Takes in updates of one user's devices, in the order in which they came, in the transaction that takes in what that user's server
    /// tells.
    public func receive(_ updates: [RemoteDeviceUpdate], of user: UserNumber, in writer: StoreWriter) throws {
        guard !updates.isEmpty else { return }
        var list = try writer.read.remoteDevices.list(of: user) ?? RemoteDeviceListRecord()
        list.generation += 1
        // Of a list that has to be asked for first, clients hear when it is there: asking before would only get them the old one.
        var isNews = false
        for update in updates where list.freshPosition != nil {
            switch try step(update, list, user, writer) {
            case .known: continue
            case .gap: markStale(&list)
            case .next:
                isNews = true
                list.streamIDs = (list.streamIDs + [update.streamID]).suffix(Self.rememberedUpdates)
                try writer.remoteDevices.set(list, of: user)
                if let record = update.record {
                    try writer.remoteDevices.set(record, of: user)
                } else {
                    try writer.remoteDevices.remove(update.device, of: user)
                }
            }
        }
        if list.freshPosition == nil { markStale(&list) }
        try writer.remoteDevices.set(list, of: user)
        if isNews { try writer.journal.append(.deviceList(user)) }
        if list.freshPosition == nil { writer.sql.onCommit { [weak self] in self?.look() } }
    }

    /// Takes in a user's cross-signing keys, in the transaction that takes in what that user's server tells.
    public func receive(_ keys: RemoteSigningKeys, of user: UserNumber, in writer: StoreWriter) throws {
        var list = try writer.read.remoteDevices.list(of: user) ?? RemoteDeviceListRecord()
        let before = list
        list.generation += 1
        if list.freshPosition != nil {
            if let key = keys.masterKey {
                list.masterKey = RemoteDeviceList.crossSigningKey(key, .master, of: keys.user) ?? list.masterKey
            }
            if let key = keys.selfSigningKey {
                list.selfSigningKey =
                    RemoteDeviceList.crossSigningKey(key, .selfSigning, of: keys.user) ?? list.selfSigningKey
            }
        } else {
            markStale(&list)
        }
        try writer.remoteDevices.set(list, of: user)
        let isSame = before.masterKey == list.masterKey && before.selfSigningKey == list.selfSigningKey
        if list.freshPosition != nil, !isSame { try writer.journal.append(.deviceList(user)) }
        if list.freshPosition == nil { writer.sql.onCommit { [weak self] in self?.look() } }
    }

    /// How an update stands to a list that is up to date.
    private enum Step {
        /// It is in the list already.
        case known
        /// It follows what is in the list.
        case next
        /// Something before it is missing, or it contradicts what is known.
        case gap
    }

    private func step(
        _ update: RemoteDeviceUpdate, _ list: RemoteDeviceListRecord, _ user: UserNumber, _ writer: StoreWriter
    ) throws -> Step {
        if list.streamIDs.contains(update.streamID) {
            // Told once more, or by a server that has begun to count anew.
            let known = try writer.read.remoteDevices.device(update.device, of: user)
            return known == update.record ? .known : .gap
        }
        guard !update.previousIDs.isEmpty, update.previousIDs.allSatisfy({ list.streamIDs.contains($0) }) else {
            return .gap
        }
        // Keys that cannot be kept may be there all the same.
        if !update.isDeleted, update.keys != nil, update.record?.keys == nil { return .gap }
        if try writer.read.remoteDevices.count(of: user) >= RemoteDeviceList.maximumDevices { return .gap }
        return .next
    }

    private func markStale(_ list: inout RemoteDeviceListRecord) {
        list.freshPosition = nil
        // A server that tells something can be asked, but not without a pause.
        list.retry = max(clock.now, list.fetched + Self.pauseMilliseconds)
    }
}
