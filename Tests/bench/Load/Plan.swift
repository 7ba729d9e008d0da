/// What a run of the load generator does, as the benchmark's script writes it (JSON on standard input).
struct Plan: Decodable {
    enum Mode: String, Decodable {
        /// Every client sends messages to its room, one after another, until `count` were sent in all.
        case send
        /// Every client syncs, one request after another, until `count` were answered in all.
        case sync
        /// All clients but the first wait in long polls; the first sends `count` messages, each when all have the one before.
        case fanOut
        /// Every client waits in long polls until standard input ends.
        case idle
    }

    struct Client: Decodable {
        /// The access token.
        var token: String
        /// The room that the client sends to, percent-encoded.
        var room: String?
        /// The sync token to go on from (of a sliding sync, the position); a first sync without.
        var since: String?
        /// What a sliding sync asks for; `/sync` without.
        var sliding: String?
    }

    var mode: Mode
    var port: UInt16
    var clients: [Client]
    /// Requests (or, for `fanOut`, messages) in all; for `idle` unused.
    var count: Int
    /// How long a sync may wait for news, in milliseconds.
    var timeoutMilliseconds: Int
    /// Something that no other run's transaction IDs and messages contain.
    var label: String
}

/// What came of it (JSON on standard output).
struct Outcome: Encodable {
    /// Requests answered; for `fanOut`, messages that reached a client.
    var count: Int
    /// Answers with another status than 200, or that never came.
    var failures: Int
    var seconds: Double
    /// Milliseconds from request to answer; for `fanOut`, from a message's sending to its arrival.
    var p50Milliseconds: Double
    var p99Milliseconds: Double
    /// Bytes of response bodies.
    var bytes: Int
    /// The first answer that was not 200.
    var firstFailure: String?
}
