import CLibpq
import Glibc
import Synchronization

/// A connection that only listens.
final class PostgresListener: Sendable {
    private static let firstPauseMilliseconds: Int32 = 100
    private static let longestPauseMilliseconds: Int32 = 5_000

    private let connectionString: String
    private let options: DatabaseOptions
    private let channels: [String]
    private let handler: @Sendable (ListenEvent) -> Void
    /// A pipe: its reading end becomes readable when the listener shall stop.
    private let stopReading: Int32
    private let stopWriting: Int32
    private let isStopping = Mutex(false)

    init(
        connectionString: String, options: DatabaseOptions, channels: [String],
        handler: @escaping @Sendable (ListenEvent) -> Void
    ) throws {
        self.connectionString = connectionString
        self.options = options
        self.channels = channels
        self.handler = handler
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw DatabaseError.unavailable(reason: "no descriptor is left") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        stopReading = ends[0]
        stopWriting = ends[1]
    }

    deinit {
        Glibc.close(stopReading)
        Glibc.close(stopWriting)
    }

    func stop() {
        isStopping.withLock { isStopping in
            guard !isStopping else { return }
            isStopping = true
            var byte: UInt8 = 1
            _ = write(stopWriting, &byte, 1)
        }
    }

    /// Listens until ``stop()``, on the calling thread.
    func run() {
        var pause = Self.firstPauseMilliseconds
        while !isStopping.withLock({ $0 }) {
            if let handle = connect() {
                pause = Self.firstPauseMilliseconds
                handler(.connected)
                receive(from: handle)
                libpq.pointee.PQfinish(handle)
            }
            var stop = pollfd(fd: stopReading, events: Int16(POLLIN), revents: 0)
            poll(&stop, 1, pause)
            pause = min(pause * 2, Self.longestPauseMilliseconds)
        }
    }

    private func connect() -> OpaquePointer? {
        guard let handle = try? PostgresConnecting.open(connectionString: connectionString, options: options) else {
            return nil  // the server is away: the caller tries again
        }
        do {
            for channel in channels {
                let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
                try PostgresConnecting.run(handle, "LISTEN \"\(quoted)\"")
            }
            return handle
        } catch {
            libpq.pointee.PQfinish(handle)
            return nil
        }
    }

    /// Passes on notifications until the connection is lost or the listener stops.
    private func receive(from handle: OpaquePointer) {
        while !isStopping.withLock({ $0 }) {
            while let notification = libpq.pointee.PQnotifies(handle) {
                let event = ListenEvent.notification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra))
                libpq.pointee.PQfreemem(notification)
                handler(event)
            }
            var descriptors = [
                pollfd(fd: libpq.pointee.PQsocket(handle), events: Int16(POLLIN), revents: 0),
                pollfd(fd: stopReading, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&descriptors, 2, -1) >= 0 || errno == EINTR else { return }
            guard libpq.pointee.PQconsumeInput(handle) == 1, libpq.pointee.PQstatus(handle) == CONNECTION_OK else {
                return
            }
        }
    }
}
