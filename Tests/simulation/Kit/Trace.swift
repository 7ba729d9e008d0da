import Matrix

/// What has happened, line by line, and a number that two runs share only if the same has happened in both.
public final class Trace: @unchecked Sendable {
    /// The lines.
    public private(set) var lines: [String] = []
    /// FNV-1a of all lines.
    public private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private let time: SimulatedTime
    private let isEchoed: Bool

    init(time: SimulatedTime, isEchoed: Bool) {
        self.time = time
        self.isEchoed = isEchoed
    }

    func note(_ line: @autoclosure () -> String) {
        let milliseconds = time.now - SimulatedTime.start
        let line = "+\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst()) \(line())"
        for byte in line.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        lines.append(line)
        if isEchoed { print(line) }
    }
}

extension EventID {
    /// Enough of it to find it again.
    var short: String { String(string.prefix(8)) }
}
