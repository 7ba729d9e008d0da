/// Tells the time. Nothing in the services reads it elsewhere, so that tests and simulations can.
public protocol Clock: Sendable {
    /// The time, in milliseconds since 1970-01-01 UTC.
    var now: Int64 { get }
}

/// Gives randomness fit for secrets. Nothing in the services takes it elsewhere.
public protocol Randomness: Sendable {
    /// That many random bytes.
    func bytes(_ count: Int) -> [UInt8]
}

extension Randomness {
    /// A random text of letters and digits: each character carries about 5.95 bits.
    public func text(_ length: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(length)
        while out.count < length {
            // Bytes that would favor the alphabet's first letters are thrown away.
            for byte in bytes(length) where out.count < length && byte < 248 {
                out.append(alphabet[Int(byte) % alphabet.count])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
