import ArgumentParser
@preconcurrency import Dispatch
import Foundation
import Logging

/// `chappe serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server, in the foreground, until SIGTERM or SIGINT.",
        discussion: """
            On SIGHUP it reads certificates, signing keys and its configuration again, and opens its log file anew. Of the configuration, \
            log.level, rate_limits and the lists of federation hold at once; of the rest it says what waits for the next start.
            """
    )

    @OptionGroup var option: ConfigurationOption

    func run() async throws {
        let configuration = try option.load()
        let output = try LogOutput(configuration.log, path: configuration.path)
        LoggingSystem.bootstrap { LogOutputHandler(label: $0, output: output) }
        let signals = Signals([SIGTERM, SIGINT, SIGHUP])
        let application = try await Application.start(configuration)
        for await signal in signals.stream {
            guard signal == SIGHUP else { break }
            application.reload(output) { try option.load() }
        }
        await application.stop()
    }
}

/// The process's signals as a sequence.
final class Signals: Sendable {
    let stream: AsyncStream<Int32>
    private let sources: [any DispatchSourceSignal]

    init(_ numbers: [Int32]) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.stream = stream
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
        // A client that goes away while it is written to is no reason to end.
        signal(SIGPIPE, SIG_IGN)
    }
}
