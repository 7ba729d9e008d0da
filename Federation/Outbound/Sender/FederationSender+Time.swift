import Homeserver
import Logging
import Matrix
import Store

extension FederationSender {
    /// How often destinations are looked for that can be forgotten, in milliseconds.
    private static let tidyingMilliseconds: Int64 = 3_600_000
    /// How long nothing must have been sent to a server with which no room is shared any more before it is forgotten.
    private static let forgettingMilliseconds: Int64 = 86_400_000

    /// Does something later, unless this is gone by then.
    func after(milliseconds: Int64, _ action: @escaping @Sendable (isolated FederationSender) async -> Void) {
        scheduler.after(milliseconds: milliseconds) { [weak self] in
            guard let self else { return }
            Task { await action(self) }
        }
    }

    func wake(_ server: ServerName, at time: Int64) {
        deadlines[server] = time
        scheduleWake(at: time)
    }

    func scheduleWake(at time: Int64) {
        guard isRunning, time < nextWake ?? .max else { return }
        nextWake = time
        after(milliseconds: max(0, time - clock.now)) { $0.wake(at: time) }
    }

    func wake(at time: Int64) {
        // One that an earlier one has taken the place of has nothing left to do.
        guard isRunning, nextWake == time else { return }
        nextWake = nil
        let now = clock.now
        for (server, deadline) in deadlines where deadline <= now {
            deadlines[server] = nil
            with(server) { $0.due(now: now) }
        }
        if let next = deadlines.values.min() { scheduleWake(at: next) }
    }

    /// A number between 0 and 1, by chance.
    func chance() -> Double {
        let bits = randomness.bytes(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(bits) / Double(UInt32.max)
    }

    // MARK: Writing down where the journal stands

    func scheduleCheckpoint() {
        guard !checkpointIsDue, dispatched > writtenThrough else { return }
        checkpointIsDue = true
        after(milliseconds: configuration.checkpointMilliseconds) { sender in
            guard sender.isRunning else { return }
            await sender.checkpoint()
        }
    }

    /// Writes down how far the journal has been looked through, together with what is owed from before.
    func checkpoint() async {
        checkpointIsDue = false
        let through = dispatched
        guard through > writtenThrough else { return }
        let owed = machines.compactMap { server, machine in machine.owed.map { (server, $0) } }
        do {
            try await store.write { writer in
                for (server, position) in owed {
                    try writer.destinations.queue(
                        server, sentThrough: position.sentThrough, queuedThrough: position.queuedThrough)
                }
                try writer.destinations.setDispatched(through: through)
            }
            writtenThrough = max(writtenThrough, through)
            for (server, position) in owed { machines[server]?.wrote(queued: position.queuedThrough) }
        } catch {
            logger.warning("it could not be written down what waits", metadata: ["error": "\(error)"])
        }
        if isRunning { scheduleCheckpoint() }
    }

    /// Forgets, from time to time, the servers with which no room is shared any more.
    func tidy() {
        guard isRunning else { return }
        after(milliseconds: Self.tidyingMilliseconds) { sender in
            let time = sender.clock.now - Self.forgettingMilliseconds
            let local = sender.serverName
            do {
                _ = try await sender.store.write { try $0.destinations.forgetStrangers(to: local, idleSince: time) }
            } catch {
                sender.logger.warning("old destinations are still there", metadata: ["error": "\(error)"])
            }
            sender.tidy()
        }
    }
}
