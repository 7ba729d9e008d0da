import CCares
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The thread that c-ares runs on: it alone touches the library's channel and sockets.
final class AresLoop: Sendable {
    private struct Inbox {
        var queries: [AresQuery] = []
        /// Submitted and not completed.
        var open = 0
        var isStopped = false
    }

    private let inbox = Mutex(Inbox())
    /// Written to when there is something in the inbox.
    private let wakeUp: Int32

    init(servers: [String]?, timeoutMilliseconds: Int) throws(NameFailure) {
        guard Self.isLibraryReady else { throw .unavailable("c-ares does not start") }
        wakeUp = eventfd(0, O_CLOEXEC | O_NONBLOCK)
        guard wakeUp >= 0 else { throw .unavailable("no eventfd: \(String(cString: strerror(errno)))") }
        let sockets = AresSockets()
        let channel: ares_channel
        do {
            channel = try Self.openChannel(servers, timeoutMilliseconds, sockets)
        } catch {
            close(wakeUp)
            throw error
        }
        let thread = AresThread(loop: self, channel: channel, sockets: sockets)
        var handle = pthread_t()
        let status = pthread_create(
            &handle, nil,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<AresThread>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(thread).toOpaque())
        guard status == 0 else {
            Unmanaged.passUnretained(thread).release()
            ares_destroy(channel)
            close(wakeUp)
            throw .unavailable("no thread: \(String(cString: strerror(status)))")
        }
        pthread_detach(handle)
    }

    private static let isLibraryReady = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS

    private static func openChannel(
        _ servers: [String]?, _ timeoutMilliseconds: Int, _ sockets: AresSockets
    ) throws(NameFailure) -> ares_channel {
        var options = ares_options()
        options.flags = ARES_FLAG_NOSEARCH
        options.timeout = Int32(timeoutMilliseconds)
        options.tries = 2
        options.sock_state_cb = { data, socket, readable, writable in
            guard let data else { return }
            Unmanaged<AresSockets>.fromOpaque(data).takeUnretainedValue()
                .set(socket, isReadAwaited: readable != 0, isWriteAwaited: writable != 0)
        }
        // The thread keeps the sockets for as long as the channel.
        options.sock_state_cb_data = Unmanaged.passUnretained(sockets).toOpaque()
        var channel: ares_channel?
        let mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB
        let status = ares_init_options(&channel, &options, mask)
        guard status == ARES_SUCCESS, let channel else {
            throw .unavailable("c-ares: \(String(cString: ares_strerror(status)))")
        }
        if let servers {
            let status = ares_set_servers_ports_csv(channel, servers.joined(separator: ","))
            guard status == ARES_SUCCESS else {
                ares_destroy(channel)
                throw .unavailable("name servers: \(String(cString: ares_strerror(status)))")
            }
        }
        return channel
    }

    /// Takes a question over.
    ///
    /// - Returns: False, and the question is not taken, if so many are open.
    func submit(_ query: AresQuery, atMost limit: Int) -> Bool {
        let isTaken = inbox.withLock { inbox in
            guard !inbox.isStopped, inbox.open < limit else { return false }
            inbox.open += 1
            inbox.queries.append(
                AresQuery(start: query.start) { [weak self] result in
                    self?.inbox.withLock { $0.open -= 1 }
                    query.complete(result)
                })
            return true
        }
        if isTaken { wake() }
        return isTaken
    }

    /// Ends the thread; open questions fail.
    func stop() {
        inbox.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        // Cannot block: the counter would have to overflow first.
        _ = write(wakeUp, &one, 8)
    }

    // MARK: On the thread

    fileprivate var wakeUpDescriptor: Int32 { wakeUp }

    /// What has come in, or `nil` if the thread is to end.
    fileprivate func takeInbox() -> [AresQuery]? {
        var count: UInt64 = 0
        _ = read(wakeUp, &count, 8)
        return inbox.withLock { inbox in
            if inbox.isStopped { return nil }
            defer { inbox.queries = [] }
            return inbox.queries
        }
    }

    /// The questions that the thread ends without having begun.
    fileprivate func closeInbox() {
        let rest = inbox.withLock { inbox in
            defer { inbox.queries = [] }
            return inbox.queries
        }
        for query in rest { query.complete(.failure(.unavailable("the resolver is stopped"))) }
        close(wakeUp)
    }
}

/// The library's sockets, and what each waits for. Used on the thread only.
private final class AresSockets {
    private(set) var awaited: [Int32: Int16] = [:]

    func set(_ socket: Int32, isReadAwaited: Bool, isWriteAwaited: Bool) {
        let events = (isReadAwaited ? Int16(POLLIN) : 0) | (isWriteAwaited ? Int16(POLLOUT) : 0)
        awaited[socket] = events == 0 ? nil : events
    }
}

private final class AresThread {
    private let loop: AresLoop
    private let channel: ares_channel
    private let sockets: AresSockets

    init(loop: AresLoop, channel: ares_channel, sockets: AresSockets) {
        self.loop = loop
        self.channel = channel
        self.sockets = sockets
    }

    func run() {
        while true {
            var descriptors = [pollfd(fd: loop.wakeUpDescriptor, events: Int16(POLLIN), revents: 0)]
            for (socket, events) in sockets.awaited {
                descriptors.append(pollfd(fd: socket, events: events, revents: 0))
            }
            let ready = poll(&descriptors, nfds_t(descriptors.count), timeoutMilliseconds)
            if ready > 0, descriptors[0].revents != 0 {
                guard let queries = loop.takeInbox() else { break }
                for query in queries { query.start(Unmanaged.passRetained(query).toOpaque(), channel) }
            }
            let none = ares_socket_t(-1)
            for descriptor in descriptors.dropFirst() where ready > 0 && descriptor.revents != 0 {
                let isReadable = descriptor.revents & ~Int16(POLLOUT) != 0
                let isWritable = descriptor.revents & Int16(POLLOUT) != 0
                ares_process_fd(channel, isReadable ? descriptor.fd : none, isWritable ? descriptor.fd : none)
            }
            // What has waited too long is asked again, or given up.
            ares_process_fd(channel, none, none)
        }
        ares_destroy(channel)
        loop.closeInbox()
    }

    private var timeoutMilliseconds: Int32 {
        var buffer = timeval()
        guard let timeout = ares_timeout(channel, nil, &buffer) else { return -1 }
        return Int32(clamping: timeout.pointee.tv_sec * 1_000 + (Int(timeout.pointee.tv_usec) + 999) / 1_000)
    }
}
