/// How a user stands to a room: `membership` of [`m.room.member`](https://spec.matrix.org/v1.19/client-server-api/#mroommember).
public enum Membership: String, Sendable, Hashable, CaseIterable {
    case join, invite, leave, ban, knock

    /// The membership that a membership event sets, or `nil` if it names none that exists.
    public init?(of event: Event) {
        guard let name = event.content["membership"]?.string else { return nil }
        self.init(name: name)
    }

    /// The membership of that name. Names compare as bytes.
    public init?(name: String) {
        let name = ExactString(name)
        guard let membership = Self.allCases.first(where: { ExactString($0.rawValue) == name }) else { return nil }
        self = membership
    }
}
