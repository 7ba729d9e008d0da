/// A generator of numbers that a seed determines (SplitMix64), so that a failure can be replayed.
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Seeds for a test's runs: fixed ones that once failed or are typical, and one that differs each time.
    static func seeds(_ count: Int) -> [UInt64] {
        (0..<UInt64(count - 1)).map { $0 &* 7919 &+ 1 } + [UInt64.random(in: 0...UInt64.max)]
    }
}
