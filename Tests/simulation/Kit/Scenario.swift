import Matrix

/// How a simulation is: what users do how often, how bad the network is, what fails. All of it comes from the seed, so that seeds
/// differ in kind and not only in order.
struct Scenario: Sendable {
    let seed: UInt64
    let serverCount: Int
    let stepCount: Int
    var usersPerServer: Int
    var versions: [RoomVersion]
    var weights: [(value: OperationKind, weight: Int)]
    var weather: SimulatedNetwork.Weather
    /// How likely it is, with each thing that a user does, that part of the network breaks.
    var partitions: Double
    var partitionMilliseconds: ClosedRange<Int64>
    /// How likely it is, with each thing that a user does, that a server crashes.
    var crashes: Double
    var downtimeMilliseconds: ClosedRange<Int64>
    var disorder: SimulatedWorld.Disorder
    /// How long it is until somebody does something again, in milliseconds.
    var pauses: [(value: ClosedRange<Int64>, weight: Int)]
    var clockErrorMilliseconds: Int64
    var redactsRules: Bool

    private static let usual: [(value: OperationKind, weight: Int)] = [
        (.create, 1), (.message, 30), (.topic, 10), (.name, 4), (.join, 16), (.leave, 6), (.invite, 7), (.kick, 4),
        (.ban, 4), (.unban, 4), (.knock, 2), (.powerLevels, 9), (.joinRules, 5), (.historyVisibility, 2), (.redact, 4),
        (.profile, 4), (.history, 2),
    ]

    init(seed: UInt64, serverCount: Int, stepCount: Int) {
        var generator = SeededGenerator(seed: seed, stream: 10)
        self.seed = seed
        self.serverCount = serverCount
        self.stepCount = stepCount
        usersPerServer = 1 + generator.below(3)
        let new = ["6", "10", "11", "12", "12"]
        let old = ["1", "2", "3", "4", "5", "7", "8", "9"]
        var ids = [generator.pick(new) ?? "12"]
        if generator.chance(0.6) { ids.append(generator.pick(new) ?? "12") }
        if generator.chance(0.4) { ids.append(generator.pick(old) ?? "1") }
        versions = ids.compactMap { RoomVersion(id: $0) }
        // Some things are done much more often than usual, some not at all.
        weights = Self.usual.map { kind, weight in
            switch generator.below(8) {
            case 0 where kind != .join && kind != .create: (kind, 0)
            case 1: (kind, weight * 4)
            default: (kind, weight)
            }
        }
        weather = SimulatedNetwork.Weather()
        if generator.chance(0.6) { weather.requestLoss = generator.pick([0.01, 0.05, 0.2]) ?? 0 }
        if generator.chance(0.6) { weather.answerLoss = generator.pick([0.01, 0.05, 0.2]) ?? 0 }
        if generator.chance(0.6) { weather.duplication = generator.pick([0.01, 0.1]) ?? 0 }
        if generator.chance(0.6) { weather.slowness = generator.pick([0.02, 0.1, 0.3]) ?? 0 }
        partitions = generator.pick([0, 0, 0.01, 0.04]) ?? 0
        partitionMilliseconds = generator.pick([1_000...20_000, 5_000...600_000]) ?? 1_000...20_000
        crashes = generator.pick([0, 0, 0.01, 0.04]) ?? 0
        downtimeMilliseconds = generator.pick([10...2_000, 100...60_000, 1_000...600_000]) ?? 10...2_000
        disorder = SimulatedWorld.Disorder()
        disorder.jobs = generator.pick([0, 0.05, 0.5]) ?? 0
        disorder.databases = generator.pick([0, 0.2, 0.7]) ?? 0
        pauses = [
            (0...0, generator.below(6)), (1...50, 1 + generator.below(6)), (50...2_000, 1 + generator.below(6)),
            (2_000...60_000, generator.below(4)),
        ]
        clockErrorMilliseconds = generator.pick([0, 50, 5_000, 3_600_000]) ?? 0
        redactsRules = false
    }
    /// What there is of what goes wrong, for the trace.
    var summary: String {
        """
        \(serverCount) servers with \(usersPerServer) users each, rooms of versions \(versions.map(\.id)); lost: requests \
        \(weather.requestLoss), answers \(weather.answerLoss); twice: \(weather.duplication); late: \(weather.slowness); \
        cuts: \(partitions) for \(partitionMilliseconds) ms; crashes: \(crashes) for \(downtimeMilliseconds) ms; \
        out of turn: \(disorder.jobs), databases \(disorder.databases); clocks off by up to \(clockErrorMilliseconds) ms
        """
    }
}
