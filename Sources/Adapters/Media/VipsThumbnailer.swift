import CVips
import Dispatch
import Homeserver
import Store
import Synchronization

/// Makes thumbnails with libvips, on a few threads of its own.
///
/// JPEG, PNG, GIF and WebP are read, by loaders that are made for files of strangers. Thumbnails are PNG if anything is
/// transparent, else JPEG; WebP if they move.
public final class VipsThumbnailer: Thumbnailer, PictureInspector {
    /// What is not attempted.
    public struct Limits: Sendable {
        /// The largest picture, in pixels; of one that moves, all frames together.
        public var pixels: Int
        /// The largest file, in bytes.
        public var bytes: Int64
        /// How many wait for a thread; beyond, callers are told to come back.
        public var pending: Int

        /// Limits.
        public init(pixels: Int = 100_000_000, bytes: Int64 = 100 << 20, pending: Int = 100) {
            self.pixels = pixels
            self.bytes = bytes
            self.pending = pending
        }
    }

    private struct State {
        var pending = 0
        var nextQueue = 0
    }

    private let limits: Limits
    // One thread each: a concurrent queue would take as many threads, and as much memory, as there are requests.
    private let queues: [DispatchQueue]
    private let state = Mutex(State())

    /// Whether the library could be loaded and prepared, which happens once for the process, when the first picture comes.
    private static let isReady = chappe_vips_start() == 0

    /// A thumbnailer.
    ///
    /// - Parameters:
    ///   - limits: What is not attempted.
    ///   - threads: How many thumbnails are made at once.
    public init(limits: Limits = Limits(), threads: Int = 2) {
        self.limits = limits
        queues = (0..<max(threads, 1)).map { DispatchQueue(label: "chappe.thumbnails.\($0)") }
    }

    /// A thumbnail, or the original if it is small enough; see ``Thumbnailer``.
    ///
    /// - Throws: ``LibraryFailure`` where there is no libvips.
    public func thumbnail(of source: BlobSource, sizeBytes: Int64, _ key: ThumbnailKey) async throws -> Thumbnail {
        try await run(source, sizeBytes) { try $0.thumbnail(key) }
    }

    /// What a picture says of itself.
    ///
    /// - Throws: ``LibraryFailure`` where there is no libvips.
    public func inspect(_ source: BlobSource, sizeBytes: Int64) async throws -> PictureDescription {
        try await run(source, sizeBytes) { try $0.inspect() }
    }

    private func run<T: Sendable>(
        _ source: BlobSource, _ sizeBytes: Int64, _ work: @escaping @Sendable (ThumbnailJob) throws -> T
    ) async throws -> T {
        guard sizeBytes <= limits.bytes else { throw ThumbnailFailure.tooLarge }
        let queue = state.withLock { state -> DispatchQueue? in
            guard state.pending < limits.pending else { return nil }
            state.pending += 1
            state.nextQueue = (state.nextQueue + 1) % queues.count
            return queues[state.nextQueue]
        }
        guard let queue else { throw ThumbnailFailure.busy }
        defer { state.withLock { $0.pending -= 1 } }
        let input = try await Self.input(from: source, sizeBytes: sizeBytes)
        let pixels = limits.pixels
        return try await withUnsafeThrowingContinuation { continuation in
            queue.async {
                guard Self.isReady else { return continuation.resume(throwing: LibraryFailure()) }
                let result = Result { try work(ThumbnailJob(input: input, maximumPixels: pixels)) }
                chappe_vips_end_job()
                continuation.resume(with: result)
            }
        }
    }

    private static func input(from source: BlobSource, sizeBytes: Int64) async throws -> ThumbnailJob.Input {
        switch source {
        case .file(let path): return .file(path: path)
        case .pieces(let read):
            let bytes = Mutex<[UInt8]>([])
            try await read(0..<sizeBytes) { piece in bytes.withLock { $0 += piece } }
            return .bytes(bytes.withLock { $0 })
        }
    }
}

/// libvips could not be loaded.
public struct LibraryFailure: Error, CustomStringConvertible {
    /// A sentence for the log.
    public let description = "libvips cannot be used: \(String(cString: chappe_vips_failure()))"
}
