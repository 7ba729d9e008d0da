import Matrix

/// What is to become of an event.
public enum Verdict: Sendable, Hashable {
    /// It takes its place in the room.
    case accepted
    /// It takes its place in the graph, but clients are not told and no event of ours follows it
    /// ([soft failure](https://spec.matrix.org/v1.19/server-server-api/#soft-failure)).
    case softFailed(AuthRejection)
    /// It changes nothing ([rejection](https://spec.matrix.org/v1.19/server-server-api/#rejection)).
    case rejected(AuthRejection)
    /// These events must be known first.
    case needs([EventID])
}

/// An event that another refers to, as far as this server knows it.
public enum KnownEvent: Sendable {
    /// It has been accepted, or soft-failed.
    case accepted(Event)
    /// It has been rejected.
    case rejected(Event)
}
