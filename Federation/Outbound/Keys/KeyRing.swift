import FederationWire
import Homeserver
import Logging
import Matrix
import Store
import Synchronization

/// The keys of other servers: from memory, the database, the servers themselves, or notaries, in this order.
///
/// [Retrieving server keys](https://spec.matrix.org/v1.19/server-server-api/#retrieving-server-keys).
public final class KeyRing: ServerKeys {
    /// Whom and how much to ask.
    public struct Policy: Sendable {
        /// Keys that are taken as given. Of a server that is named here no other keys count.
        public var pinned: [ServerName: [SigningKeyID: VerifyKey]]
        /// Servers that are asked where the server itself cannot be.
        public var notaries: [ServerName]
        /// A server that has answered is asked again only after so long, in milliseconds.
        public var pauseMilliseconds: Int64
        /// How many servers are asked at once.
        public var concurrentFetches: Int

        /// A policy.
        public init(
            pinned: [ServerName: [SigningKeyID: VerifyKey]] = [:], notaries: [ServerName] = [],
            pauseMilliseconds: Int64 = 30_000, concurrentFetches: Int = 24
        ) {
            self.pinned = pinned
            self.notaries = notaries
            self.pauseMilliseconds = pauseMilliseconds
            self.concurrentFetches = concurrentFetches
        }
    }

    typealias Wanted = [ServerName: [SigningKeyID: Int64?]]
    typealias Found = [ServerName: [SigningKeyID: ServerKeyRecord]]

    let store: Store
    let clock: any Clock
    let serverName: ServerName
    let own: SigningKeyring
    let source: any KeySource
    let policy: Policy
    let logger: Logger
    let schedule: FetchSchedule
    /// All known keys of a server; the cost counts keys.
    let known = GenerationalCache<ServerName, [SigningKeyID: ServerKeyRecord]>(budget: 50_000)
    let fetches = Coalescer<ServerName, Bool>()
    /// How many servers are being asked for their keys.
    private let openFetches = Mutex(0)
    let publication: OwnDocument

    /// More servers than this are not asked at the same time, whoever wants their keys: names can be made up faster than anyone answers.
    private static let maximumOpenFetches = 200
    /// More servers than this are asked of notaries first: a room of thousands must not need thousands of connections.
    private static let manyServers = 16

    /// A key ring.
    ///
    /// - Parameters:
    ///   - store: Where keys are kept.
    ///   - clock: Tells the time.
    ///   - serverName: This server.
    ///   - own: This server's keys.
    ///   - source: Fetches documents.
    ///   - policy: Whom and how much to ask.
    ///   - logger: Takes note of servers whose keys cannot be had.
    public init(
        store: Store, clock: any Clock, serverName: ServerName, own: SigningKeyring, source: any KeySource,
        policy: Policy = Policy(), logger: Logger
    ) {
        self.store = store
        self.clock = clock
        self.serverName = serverName
        self.own = own
        self.source = source
        self.policy = policy
        self.logger = logger
        schedule = FetchSchedule(pauseMilliseconds: policy.pauseMilliseconds)
        publication = OwnDocument(serverName: serverName, keys: own)
    }

    /// The keys that are wanted, as far as they can be had.
    public func keys(_ wanted: [ServerName: [SigningKeyID: Int64?]]) async -> [ServerName: [SigningKeyID: VerifyKey]] {
        await find(wanted, for: .event) { record, time in time.map { $0 <= record.validUntilTS } ?? true }
            .mapValues { $0.mapValues(\.key) }
    }

    /// The keys by which a server signs requests now.
    public func keysInUse(
        _ wanted: Set<SigningKeyID>, of server: ServerName, now: Int64
    ) async -> [SigningKeyID: VerifyKey] {
        let times: [SigningKeyID: Int64?] = Dictionary(uniqueKeysWithValues: wanted.map { ($0, now) })
        let found = await find([server: times], for: .request) { record, _ in
            !record.isOld && now <= record.validUntilTS
        }
        return (found[server] ?? [:]).mapValues(\.key)
    }

    /// Asks a server of which no key is known.
    public func prepare(for server: ServerName) async {
        guard given(server) == nil, known[server] == nil else { return }
        await read([server])
        guard known[server] == nil, schedule.permits(server, for: .event, now: clock.now) else { return }
        _ = await fetch(server)
    }

    // MARK: Looking

    private func find(
        _ wanted: Wanted, for urgency: FetchSchedule.Urgency,
        _ suffices: @escaping @Sendable (ServerKeyRecord, Int64?) -> Bool
    ) async -> Found {
        var search = KeySearch(wanted, suffices)
        for server in wanted.keys {
            // Of ourselves and of pinned servers all is known.
            if let given = given(server) {
                search.settle(server, with: given)
            } else if let cached = known[server] {
                search.add(cached, of: server)
            }
        }
        if search.isDone { return search.found }
        await read(search.missingServers)
        search.add(from: known)
        let toFetch = search.missingServers.filter { schedule.permits($0, for: urgency, now: clock.now) }
        if toFetch.isEmpty { return search.found }
        if toFetch.count > Self.manyServers, !policy.notaries.isEmpty {
            await askNotaries(search.missing.filter { toFetch.contains($0.key) })
            search.add(from: known)
        }
        let direct = search.missingServers.filter { toFetch.contains($0) }
        await forEachConcurrently(Array(direct), atOnce: policy.concurrentFetches) { server in
            _ = await self.fetch(server)
        }
        search.add(from: known)
        if toFetch.count <= Self.manyServers, !policy.notaries.isEmpty {
            await askNotaries(search.missing.filter { toFetch.contains($0.key) })
            search.add(from: known)
        }
        return search.found
    }

    /// What is known without asking: the keys of this server, and pinned ones.
    func given(_ server: ServerName) -> [SigningKeyID: ServerKeyRecord]? {
        func record(_ keyID: SigningKeyID, _ key: VerifyKey, until: Int64, isOld: Bool) -> ServerKeyRecord {
            ServerKeyRecord(
                server: server, keyID: keyID, key: key, validUntilTS: until, isOld: isOld, isDirect: true, fetchedTS: 0)
        }
        var records: [SigningKeyID: ServerKeyRecord] = [:]
        if server == serverName {
            let keys = own.keys
            for key in keys.keys {
                records[key.keyID] = record(key.keyID, key.publicKey, until: .max, isOld: false)
            }
            for key in keys.retired {
                records[key.keyID] = record(key.keyID, key.publicKey, until: key.expiredTS, isOld: true)
            }
            return records
        }
        guard let pinned = policy.pinned[server] else { return nil }
        for (keyID, key) in pinned { records[keyID] = record(keyID, key, until: .max, isOld: false) }
        return records
    }

    /// Brings what the database knows into memory.
    func read(_ servers: Set<ServerName>) async {
        guard !servers.isEmpty else { return }
        do {
            let records = try await store.read { try $0.serverKeys.keys(of: Array(servers)) }
            for (server, records) in Dictionary(grouping: records, by: \.server) { remember(records, of: server) }
        } catch {
            logger.warning("keys not read", metadata: ["error": "\(error)"])
        }
    }

    private func remember(_ records: [ServerKeyRecord], of server: ServerName) {
        let keys = Dictionary(records.map { ($0.keyID, $0) }) { $1 }
        known.insert(server, keys, cost: max(keys.count, 1))
    }

    // MARK: Learning

    /// Keeps what a document says: in the database, and from there in memory, so that both agree on what outweighs what.
    ///
    /// - Returns: False if it is a pinned server's or cannot be kept.
    func learn(_ document: KeyDocument, isDirect: Bool) async -> Bool {
        let server = document.serverName
        guard policy.pinned[server] == nil, server != serverName else { return false }
        let now = clock.now
        let horizon = now + KeyDocument.maximumValidityMilliseconds
        var records: [ServerKeyRecord] = []
        func add(_ keyID: SigningKeyID, _ key: VerifyKey, until: Int64, isOld: Bool) {
            records.append(
                ServerKeyRecord(
                    server: server, keyID: keyID, key: key, validUntilTS: min(until, horizon), isOld: isOld,
                    isDirect: isDirect, fetchedTS: now
                ))
        }
        for (keyID, key) in document.verifyKeys { add(keyID, key, until: document.validUntilTS, isOld: false) }
        for (keyID, old) in document.oldVerifyKeys { add(keyID, old.key, until: old.expiredTS, isOld: true) }
        do {
            let stored = try await store.write { [records] writer in
                try writer.serverKeys.learn(records, of: server)
                if isDirect { try writer.serverKeys.keep(document.record(fetchedTS: now)) }
                return try writer.read.serverKeys.keys(of: [server])
            }
            remember(stored, of: server)
            return true
        } catch {
            logger.warning("keys not stored", metadata: ["server": "\(server)", "error": "\(error)"])
            return false
        }
    }

    /// Asks a server for its keys, once for all who want them at the same time.
    ///
    /// - Returns: Whether it has answered with keys.
    func fetch(_ server: ServerName) async -> Bool {
        await fetches.run(server) { [self] in
            let document = await directDocument(of: server)
            var isSuccess = false
            if let document { isSuccess = await learn(document, isDirect: true) }
            schedule.note(server, isSuccess: isSuccess, now: clock.now)
            return isSuccess
        } ?? false
    }

    /// The document that a server gives out, verified.
    func directDocument(of server: ServerName) async -> KeyDocument? {
        let isAdmitted = openFetches.withLock { open in
            if open < Self.maximumOpenFetches { open += 1 } else { return false }
            return true
        }
        guard isAdmitted else {
            logger.warning("too many servers are asked for keys", metadata: ["server": "\(server)"])
            return nil
        }
        defer { openFetches.withLock { $0 -= 1 } }
        do {
            let document = try KeyDocument(verifying: try await source.keyDocument(of: server))
            guard document.serverName == server else {
                logger.warning(
                    "a server gives out another's keys",
                    metadata: ["server": "\(server)", "named": "\(document.serverName)"])
                return nil
            }
            return document
        } catch {
            logger.info("no keys", metadata: ["server": "\(server)", "reason": "\(error)"])
            return nil
        }
    }
}

/// What is wanted, and what of it has been found.
private struct KeySearch {
    private(set) var missing: KeyRing.Wanted
    private(set) var found: KeyRing.Found = [:]
    private let suffices: @Sendable (ServerKeyRecord, Int64?) -> Bool

    init(_ wanted: KeyRing.Wanted, _ suffices: @escaping @Sendable (ServerKeyRecord, Int64?) -> Bool) {
        missing = wanted.filter { !$0.value.isEmpty }
        self.suffices = suffices
    }

    var isDone: Bool { missing.isEmpty }
    var missingServers: Set<ServerName> { Set(missing.keys) }

    mutating func add(_ records: [SigningKeyID: ServerKeyRecord], of server: ServerName) {
        guard var wanted = missing[server] else { return }
        for (keyID, time) in wanted {
            guard let record = records[keyID], suffices(record, time) else { continue }
            found[server, default: [:]][keyID] = record
            wanted[keyID] = nil
        }
        missing[server] = wanted.isEmpty ? nil : wanted
    }

    mutating func add(from cache: GenerationalCache<ServerName, [SigningKeyID: ServerKeyRecord]>) {
        for server in missingServers { if let records = cache[server] { add(records, of: server) } }
    }

    /// Takes what is given, after which nobody is asked for the rest.
    mutating func settle(_ server: ServerName, with records: [SigningKeyID: ServerKeyRecord]) {
        add(records, of: server)
        missing[server] = nil
    }
}

extension KeyDocument {
    func record(fetchedTS: Int64) -> ServerKeyDocumentRecord {
        ServerKeyDocumentRecord(
            server: serverName, keyIDs: Set(verifyKeys.keys).union(oldVerifyKeys.keys), document: Array(bytes),
            validUntilTS: validUntilTS, fetchedTS: fetchedTS)
    }
}
