import Homeserver
import Matrix
import Synchronization

/// Another server with one good file and one that is too large.
final class OneRemoteFile: RemoteMedia {
    /// Counts.
    final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    let opened = Counter()

    func open(_ reference: MediaReference, timeoutMilliseconds: Int64) async throws -> RemoteFile {
        switch reference.id.string {
        case "file":
            _ = opened.next()
            let pieces = Counter()
            return RemoteFile(contentType: "text/plain", fileName: "far.txt", declaredBytes: nil) {
                switch pieces.next() {
                case 1: Array("from ".utf8)
                case 2: Array("afar".utf8)
                default: nil
                }
            }
        case "large":
            // It never ends.
            return RemoteFile(contentType: nil, fileName: nil, declaredBytes: nil) {
                [UInt8](repeating: 1, count: 100_000)
            }
        default: throw MatrixError.notFound("No such file")
        }
    }
}
