import CZlib

/// A gzip stream at zlib's fastest level, which already takes longer than writing the JSON did.
///
/// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952).
final class GzipCompressor {
    enum Flush {
        /// Keep what does not fill a block yet.
        case none
        /// End the stream.
        case finish
    }

    // zlib keeps a pointer to it, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// A new stream, or `nil` without memory.
    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window, plus 16 for the gzip frame.
        let status = deflateInit2_(
            stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Begins a new stream.
    func reset() { deflateReset(stream) }

    /// Appends to `out` what `bytes` give; false only if zlib refuses, which its own misuse alone would cause.
    func compress(_ bytes: [UInt8], flush: Flush, into out: inout [UInt8]) -> Bool {
        let mode =
            switch flush {
            case .none: Z_NO_FLUSH
            case .finish: Z_FINISH
            }
        return bytes.withUnsafeBufferPointer { input in
            // zlib only reads from it; its field is not const for historical reasons.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            let room = 16 << 10
            while true {
                var status = Z_OK
                let start = out.count
                out.append(contentsOf: repeatElement(0, count: room))
                let produced = out.withUnsafeMutableBufferPointer { output in
                    stream.pointee.next_out = output.baseAddress.map { $0 + start }
                    stream.pointee.avail_out = UInt32(room)
                    status = deflate(stream, mode)
                    return room - Int(stream.pointee.avail_out)
                }
                out.removeLast(room - produced)
                if status == Z_STREAM_END { return true }
                // "No progress possible" is how it says that everything was flushed before.
                if status == Z_BUF_ERROR && mode != Z_FINISH { return true }
                guard status == Z_OK else { return false }
                if mode != Z_FINISH && stream.pointee.avail_out > 0 { return true }
            }
        }
    }
}
