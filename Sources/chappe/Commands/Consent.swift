import ArgumentParser

/// Asks before something is done that cannot be undone.
struct ConsentOption: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false

    /// Asks, unless `--yes` is given.
    ///
    /// - Parameters:
    ///   - warning: What is about to be done.
    ///   - name: What is to be typed to agree.
    /// - Throws: ``CommandFailure`` if whoever is asked does not agree.
    func ask(_ warning: String, repeat name: String) throws {
        guard !yes else { return }
        Terminal.print("\(warning) Type \(name) to go on:")
        guard Terminal.readInput() == name else { throw CommandFailure("nothing was done") }
    }
}
