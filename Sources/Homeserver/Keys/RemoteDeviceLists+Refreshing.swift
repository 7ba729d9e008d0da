import Logging
import Matrix
import Store

/// Asks for lists of which something is missing.
extension RemoteDeviceLists {
    /// Servers whose users' lists are asked for at the same time.
    private static let maximumActive = 32
    private static let usersPerRead = 50
    /// How often a list is asked for again at once because something has been heard of it meanwhile.
    private static let maximumAttempts = 3
    /// How long to wait after a failure, doubled with each one, in milliseconds.
    private static let firstBackoffMilliseconds: Int64 = 60_000
    private static let maximumBackoffMilliseconds: Int64 = 12 * 3_600_000
    /// How long a list is left alone of which so much is heard that it is never as a whole, and how long to wait for the database.
    private static let breathMilliseconds: Int64 = 5_000

    // MARK: One list

    /// Asks a user's server for all of the user's devices, and keeps them. Whoever asks for the same at the same time gets the same.
    ///
    /// - Returns: Whether the list is up to date now; if not, more has been heard of it all the time.
    /// - Throws: `RemoteServerFailure` if it cannot be had.
    func refresh(_ user: UserID) async throws -> Bool {
        try await flights.run(user) { [self] in
            let number = try await store.intern(user)
            for _ in 0..<Self.maximumAttempts {
                let known = try await store.read { try $0.remoteDevices.list(of: number) }
                let position = store.journal.end
                let body: JSON
                do { body = try await remote.devices(of: user) } catch let error as RemoteServerFailure {
                    try await note(error, of: user, number)
                    throw error
                }
                let list = RemoteDeviceList(body, of: user)
                if try await keep(list, of: number, generation: known?.generation ?? 0, from: position) { return true }
            }
            try await putOff(number)
            return false
        }
    }

    /// Keeps a list, unless something has been heard of it since it was asked for: it may be in it or not.
    private func keep(
        _ fetched: RemoteDeviceList, of user: UserNumber, generation: Int64, from position: StreamPosition
    ) async throws -> Bool {
        let now = clock.now
        return try await store.write { writer in
            var list = try writer.read.remoteDevices.list(of: user) ?? RemoteDeviceListRecord()
            guard list.generation == generation else { return false }
            let before = try writer.read.remoteDevices.devices(of: [user])[user] ?? []
            var isNews = list.masterKey != fetched.masterKey || list.selfSigningKey != fetched.selfSigningKey
            list.streamIDs = fetched.streamID.map { [$0] } ?? []
            list.freshPosition = position
            list.fetched = now
            list.retry = nil
            list.failures = 0
            list.masterKey = fetched.masterKey
            list.selfSigningKey = fetched.selfSigningKey
            try writer.remoteDevices.set(list, of: user)
            var gone = Dictionary(before.map { ($0.device, $0) }, uniquingKeysWith: { $1 })
            for device in fetched.devices where gone.removeValue(forKey: device.device) != device {
                isNews = true
                try writer.remoteDevices.set(device, of: user)
            }
            for device in gone.keys {
                isNews = true
                try writer.remoteDevices.remove(device, of: user)
            }
            if isNews { try writer.journal.append(.deviceList(user)) }
            return true
        }
    }

    private func note(_ failure: RemoteServerFailure, of user: UserID, _ number: UserNumber) async throws {
        let now = clock.now
        try await store.write { writer in
            var list = try writer.read.remoteDevices.list(of: number) ?? RemoteDeviceListRecord()
            list.failures += 1
            list.retry = now + Self.backoff(list.failures)
            try writer.remoteDevices.set(list, of: number)
            // That something has changed clients are to know nevertheless: whether they can have it is then seen when they ask.
            if list.failures == 1, list.generation > 0 { try writer.journal.append(.deviceList(number)) }
        }
        if !failure.isDefinite { state.withLock { _ = $0.failing.insert(user.server) } }
        look()
    }

    private func putOff(_ user: UserNumber) async throws {
        let later = clock.now + Self.breathMilliseconds
        try await store.write { writer in
            guard var list = try writer.read.remoteDevices.list(of: user), list.freshPosition == nil else { return }
            list.retry = later
            try writer.remoteDevices.set(list, of: user)
        }
    }

    private static func backoff(_ failures: Int) -> Int64 {
        min(firstBackoffMilliseconds << Int64(min(max(failures - 1, 0), 20)), maximumBackoffMilliseconds)
    }

    /// Has lists asked for that nothing is known of yet.
    func want(_ users: [UserNumber]) async throws {
        let now = clock.now
        try await store.write { writer in
            let known = try writer.read.remoteDevices.lists(of: users)
            for user in users where known[user]?.retry == nil {
                var list = known[user] ?? RemoteDeviceListRecord()
                list.retry = now
                try writer.remoteDevices.set(list, of: user)
            }
        }
        look()
    }

    // MARK: All lists

    /// Goes on with what was to be asked for when the server stopped.
    public func start() async throws {
        let failing = try await store.read { try $0.remoteDevices.failingServers(limit: 10_000) }
        state.withLock { $0.failing.formUnion(failing) }
        look()
    }

    /// Asks for nothing new any more.
    public func stop() { state.withLock { $0.isStopped = true } }

    /// A server that could not be reached is there again.
    public func reachable(_ server: ServerName) {
        guard state.withLock({ $0.failing.remove(server) != nil }) else { return }
        let now = clock.now
        Task {
            do { try await store.write { try $0.remoteDevices.retryNow(server, now: now) } } catch {
                // They are asked for when their time has come.
                return
            }
            look()
        }
    }

    /// Begins to ask for the lists that are due.
    func look() {
        if state.withLock({ $0.isStopped }) { return }
        Task { await lookAround() }
    }

    private func lookAround() async {
        let now = clock.now
        do {
            let (servers, next) = try await store.read { reader in
                (
                    try reader.remoteDevices.dueServers(now: now, limit: 1_000),
                    try reader.remoteDevices.nextDue(after: now)
                )
            }
            for server in servers {
                let starts = state.withLock { state in
                    !state.isStopped && state.active.count < Self.maximumActive && state.active.insert(server).inserted
                }
                if starts { Task { await self.work(on: server) } }
            }
            if let next { setAlarm(next, now: now) }
        } catch {
            setAlarm(now + Self.breathMilliseconds, now: now)
        }
    }

    private func setAlarm(_ time: Int64, now: Int64) {
        let isEarlier = state.withLock { state -> Bool in
            guard !state.isStopped, time < state.alarm ?? .max else { return false }
            state.alarm = time
            return true
        }
        guard isEarlier else { return }
        scheduler.after(milliseconds: max(time - now, 0)) { [weak self] in
            guard let self else { return }
            self.state.withLock { if $0.alarm == time { $0.alarm = nil } }
            self.look()
        }
    }

    /// Asks one server for the lists that are due, one after the other.
    private func work(on server: ServerName) async {
        do {
            while !state.withLock({ $0.isStopped }) {
                let now = clock.now
                let due = try await store.read {
                    try $0.remoteDevices.due(of: server, now: now, limit: Self.usersPerRead)
                }
                if due.isEmpty { break }
                guard try await ask(due, server) else { break }
            }
        } catch {
            logger.warning(
                "devices of another server's users are not asked for",
                metadata: ["server": "\(server)", "error": "\(error)"])
            let now = clock.now
            setAlarm(now + Self.breathMilliseconds, now: now)
            state.withLock { _ = $0.active.remove(server) }
            return
        }
        state.withLock { _ = $0.active.remove(server) }
        // There may be servers that had to wait.
        look()
    }

    /// - Returns: Whether the server answers.
    private func ask(_ users: [(user: UserNumber, id: UserID)], _ server: ServerName) async throws -> Bool {
        let sharing = try await participation.sharing(among: users.map(\.user))
        for (number, user) in users {
            if state.withLock({ $0.isStopped }) { return false }
            guard sharing.contains(number) else {
                try await store.write { try $0.remoteDevices.forget(number) }
                continue
            }
            do {
                _ = try await refresh(user)
            } catch let failure as RemoteServerFailure {
                logger.info(
                    "the devices of a user cannot be had", metadata: ["user": "\(user)", "error": "\(failure.message)"])
                if failure.isDefinite { continue }
                // What one user's list cannot be had for, the others' cannot either.
                let now = clock.now
                try await store.write {
                    try $0.remoteDevices.putOff(server, until: now + Self.firstBackoffMilliseconds, now: now)
                }
                return false
            }
        }
        return true
    }
}
