#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs everything asynchronous of the process on one thread, in an order that is the same each time.
///
/// Swift's runtime hands what is ready to run to a hook; there it is put in line, and whoever steps takes the next of the line. A
/// process that has installed the hook has no other executor: it is for processes that do nothing but simulate.
final class SerialExecution: @unchecked Sendable {
    /// The one line of the process.
    static let shared = SerialExecution()

    private var jobs: [UnownedJob] = []
    private var first = 0
    private var isInstalled = false

    /// How many are ready.
    var count: Int { jobs.count - first }

    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    /// Takes over the process.
    ///
    /// - Throws: ``SimulationSetupError`` if the runtime has no such hook, or orders sets and dictionaries differently each time.
    func install() throws {
        guard !isInstalled else { return }
        guard Self.hashesTheSameEachTime else {
            throw SimulationSetupError(
                "SWIFT_DETERMINISTIC_HASHING=1 must be in the environment when the process starts")
        }
        guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "swift_task_enqueueGlobal_hook") else {
            throw SimulationSetupError("this Swift runtime has no swift_task_enqueueGlobal_hook")
        }
        symbol.assumingMemoryBound(to: Hook?.self).pointee = { job, _ in SerialExecution.shared.jobs.append(job) }
        isInstalled = true
    }

    /// Whether the runtime was told to order sets and dictionaries the same each time.
    static var hashesTheSameEachTime: Bool { getenv("SWIFT_DETERMINISTIC_HASHING").map { String(cString: $0) } == "1" }

    /// Runs one of those that are ready: the first, unless `place` says another.
    func step(_ place: Int = 0) {
        guard first + place < jobs.count else { return }
        let job = jobs[first + place]
        if place == 0 { first += 1 } else { jobs.remove(at: first + place) }
        if first > 256 {
            jobs.removeFirst(first)
            first = 0
        }
        run(job, on: Self.generic)
    }

    /// No executor in particular.
    private static let generic = unsafeBitCast((0, 0), to: UnownedSerialExecutor.self)
}

@_silgen_name("swift_job_run")
private func run(_ job: UnownedJob, on executor: UnownedSerialExecutor)

/// Why nothing can be simulated here.
public struct SimulationSetupError: Error, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}
