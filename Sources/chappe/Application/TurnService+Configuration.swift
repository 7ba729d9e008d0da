import Homeserver

extension Configuration.Turn {
    /// The secret that opens the relays, and its name in the section.
    var secret: (key: String, text: Configuration.SecretText) {
        switch access {
        case .secret(let text): ("secret", text)
        case .fixed(_, let text): ("password", text)
        }
    }
}

extension TurnService {
    /// What hands out access to the relays that the configuration names; `nil` without any.
    ///
    /// - Throws: ``CommandFailure`` when the file of a secret cannot be read.
    init?(_ configuration: Configuration, clock: any Clock) throws {
        guard let turn = configuration.turn else { return nil }
        let (key, text) = turn.secret
        let secret = try ServerFiles.secret(text, named: "calls.turn.\(key)", of: configuration)
        switch turn.access {
        case .secret:
            self.init(
                uris: turn.uris, secret: secret, lifetimeSeconds: Int64(turn.lifetimeSeconds),
                allowsGuests: turn.allowsGuests, clock: clock)
        case .fixed(let username, _):
            self.init(
                uris: turn.uris, username: username, password: secret, lifetimeSeconds: Int64(turn.lifetimeSeconds),
                allowsGuests: turn.allowsGuests, clock: clock)
        }
    }
}
