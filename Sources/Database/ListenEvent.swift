/// What a listener hears.
public enum ListenEvent: Sendable, Equatable {
    /// The listener is connected, for the first time or again: what was sent before is missed, so look for yourself.
    case connected
    /// A transaction that sent this is on disk.
    case notification(channel: String, payload: String)
}
