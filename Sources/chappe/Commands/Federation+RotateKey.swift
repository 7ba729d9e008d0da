import Adapters
import ArgumentParser
import Foundation
import Homeserver
import Matrix

extension Federation {
    /// `chappe federation rotate-key`
    struct RotateKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-key", abstract: "Replace the signing key by a new one.",
            discussion: """
                The new key is written to the key file, and a running server takes it over at once. What the old key has signed still \
                counts, and so its public half stays in the file; its secret half is removed. Back the file up afterwards.
                """
        )
        @OptionGroup var option: ConfigurationOption
        @OptionGroup var output: OutputOption

        /// The old key counts for so much longer, so that nothing is lost that a running server signs meanwhile.
        private static let overlapMilliseconds: Int64 = 60_000

        func run() throws {
            let configuration = try option.load()
            var file = try ServerFiles.signingKeys(of: configuration)
            let old = file.active.keyID
            let randomness = SystemRandomness()
            // A name that was used before would be refused; of fourteen million, another one is found at once.
            var isRotated = false
            for _ in 0..<10 where !isRotated {
                guard let key = SigningKey(seed: randomness.bytes(32), version: "a_\(randomness.text(4))") else {
                    throw CommandFailure("no signing key could be made")
                }
                isRotated = file.rotate(to: key, expiredTS: SystemClock().now + Self.overlapMilliseconds)
            }
            guard isRotated else { throw CommandFailure("no new name for a key was found") }
            let path = configuration.path(configuration.signingKey)
            try ServerFiles.replaceSecret(file.text, at: path)
            let isTakenOver = try takeOver(configuration, file.active.keyID)
            let result: JSONValue = [
                "active_key": .string(file.active.keyID.string), "retired_key": .string(old.string),
                "running_server": .bool(isTakenOver),
            ]
            output.show(result.json) {
                Terminal.print("The signing key is now \(file.active.keyID); \(old) is retired. Back up \(path).")
                if !isTakenOver { Terminal.print("The server does not run; it uses the new key when it starts.") }
            }
        }

        /// Tells the running server, if there is one.
        private func takeOver(_ configuration: Configuration, _ keyID: SigningKeyID) throws -> Bool {
            let socket = AdministrationSocket(configuration)
            guard socket.isServed else { return false }
            let answer = try socket.request("POST", "/_chappe/admin/v1/signing-keys/reload", body: [:], reason: nil)
            guard answer["active_key"]?.string == keyID.string else {
                throw CommandFailure("the running server reads another key file: send it SIGHUP, or restart it")
            }
            return true
        }
    }
}
