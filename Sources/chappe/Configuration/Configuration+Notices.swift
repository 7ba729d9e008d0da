import Homeserver
import Matrix

extension ServerNoticesPolicy {
    /// The section of that name; `nil` if it names nobody.
    init?(_ node: ConfigurationNode, serverName: ServerName?) {
        let localpart = node.string("localpart")
        let name = node.string("display_name") ?? "Server notices"
        let avatar = node.string("avatar_url")
        let roomName = node.string("room_name") ?? "Server notices"
        let joins = node.bool("auto_join", default: false)
        if let avatar, !avatar.hasPrefix("mxc://") { node.refuse("avatar_url", "must begin with mxc://") }
        defer { node.finish() }
        guard let localpart, let serverName else { return nil }
        guard Self.accepts(localpart, on: serverName) else {
            node.refuse("localpart", "is no name that a user can have")
            return nil
        }
        self.init(
            localpart: localpart, server: serverName, displayName: name, avatarURL: avatar, roomName: roomName,
            joinsRecipients: joins)
    }
}
