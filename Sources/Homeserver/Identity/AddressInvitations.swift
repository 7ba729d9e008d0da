import Matrix
import RoomEngine

/// An invitation of somebody of whom an address is all that is known.
public struct AddressInvitation: Sendable {
    /// What kind of address: `email`.
    public let medium: String
    /// The address.
    public let address: String
    /// The identity server that knows whose it is, or that finds out, as the client names it.
    public let server: String
    /// The token there of who invites.
    public let token: String

    /// An invitation.
    public init(medium: String, address: String, server: String, token: String) {
        self.medium = medium
        self.address = address
        self.server = server
        self.token = token
    }
}

/// Invites whom only an identity server knows.
///
/// [Third-party invites](https://spec.matrix.org/v1.19/client-server-api/#third-party-invites)
public struct AddressInvitations: Sendable {
    let rooms: RoomService
    let identity: IdentityService
    let profiles: any MemberProfiles

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - identity: Asks identity servers.
    ///   - profiles: Who invites, as others see them.
    public init(rooms: RoomService, identity: IdentityService, profiles: any MemberProfiles) {
        self.rooms = rooms
        self.identity = identity
        self.profiles = profiles
    }

    /// Refuses invitations by servers that are not asked.
    ///
    /// - Throws: 400 `M_SERVER_NOT_TRUSTED`.
    public func check(_ invitation: AddressInvitation) throws { _ = try identity.server(named: invitation.server) }

    /// Invites the user of an address, or, if nobody knows whom it is of, whoever turns out to be.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if the user may not invite to the room; 400 `M_SERVER_NOT_TRUSTED`; what the identity server says.
    public func invite(
        _ invitation: AddressInvitation, to room: RoomID, by user: Requester, reason: String?
    ) async throws {
        let server = try identity.server(named: invitation.server)
        let view = try await rooms.view(try await rooms.residentNumber(of: room))
        // Before anybody is sent mail.
        guard try await view.membership(of: user.id) == .join, let levels = view.powerLevels,
            levels.level(of: user.id) >= levels.invite
        else { throw MatrixError.forbidden("You may not invite to this room") }
        if rooms.store.shadowBannedUsers.contains(user.id) { return }
        if let target = try await target(invitation, server) {
            return try await rooms.invite(target, to: room, by: user, reason: reason)
        }
        let answer: JSON
        do {
            answer = try await identity.ask(
                server, "/_matrix/identity/v2/store-invite", token: invitation.token,
                try await request(invitation, room, view, user))
        } catch let error as MatrixError where error.code == "M_THREEPID_IN_USE" {
            // Bound meanwhile, or not to be found by its hash.
            guard let target = error.extra["mxid"]?.string.flatMap({ UserID($0) }) else { throw error }
            return try await rooms.invite(target, to: room, by: user, reason: reason)
        }
        let (token, content) = try Self.event(answer)
        _ = try await rooms.setState(.thirdPartyInvite, key: token, content: content.json, in: room, by: user)
    }

    /// Invites people to a room that the user has just made. An invitation that fails is not told: the room is there all the same, and
    /// whoever made it can invite again.
    public func invite(_ invitations: [AddressInvitation], toNew room: RoomID, by user: Requester) async {
        for invitation in invitations {
            do { try await invite(invitation, to: room, by: user, reason: nil) } catch {
                rooms.services.logger.notice("an invitation to a new room failed", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Whose address it is

    private func target(_ invitation: AddressInvitation, _ server: IdentityServer) async throws -> UserID? {
        let details = try await identity.ask(
            server, "/_matrix/identity/v2/hash_details", token: invitation.token)
        guard let pepper = details["lookup_pepper"]?.string, let algorithms = details["algorithms"] else {
            throw IdentityService.nonsense
        }
        let known = algorithms.elements.compactMap(\.string)
        do {
            return try await lookUp(invitation, server, pepper, known)
        } catch let error as MatrixError where error.code == "M_INVALID_PEPPER" {
            // Changed in between: it says which holds now.
            let details = try await identity.ask(
                server, "/_matrix/identity/v2/hash_details", token: invitation.token)
            guard let pepper = details["lookup_pepper"]?.string else { throw error }
            return try await lookUp(invitation, server, pepper, known)
        }
    }

    private func lookUp(
        _ invitation: AddressInvitation, _ server: IdentityServer, _ pepper: String, _ algorithms: [String]
    ) async throws -> UserID? {
        let hashed = IdentityHash.text(
            invitation.address, medium: invitation.medium, pepper: pepper, algorithms: algorithms)
        guard let hashed else { throw IdentityService.nonsense }
        let answer = try await identity.ask(
            server, "/_matrix/identity/v2/lookup", token: invitation.token,
            [
                "addresses": [.string(hashed.text)], "algorithm": .string(hashed.algorithm), "pepper": .string(pepper),
            ])
        return answer["mappings"]?[hashed.text]?.string.flatMap { UserID($0) }
    }

    // MARK: Whoever turns out to be

    /// What the identity server tells whoever reads the mail of the address.
    private func request(
        _ invitation: AddressInvitation, _ room: RoomID, _ view: RoomView, _ user: Requester
    ) async throws -> JSONValue {
        var body: JSONValue = [
            "medium": .string(invitation.medium),
            "address": .string(IdentityHash.normalized(invitation.address, medium: invitation.medium)),
            "room_id": .string(room.string), "sender": .string(user.id.string),
        ]
        let fields = [
            ("room_alias", StateKey(.canonicalAlias), "alias"), ("room_avatar_url", StateKey(.avatar), "url"),
            ("room_join_rules", StateKey(.joinRules), "join_rule"), ("room_name", StateKey(.name), "name"),
            ("room_type", StateKey(.create), "type"),
        ]
        let state = try await view.events(fields.map(\.1))
        for (name, key, member) in fields {
            body[name] = state[key]?.event.content[member]?.string.map { .string($0) }
        }
        let profile = try await profiles.memberProfile(of: user.id)
        body["sender_display_name"] = .string(profile.displayName ?? user.id.string)
        body["sender_avatar_url"] = profile.avatarURL.map { .string($0) }
        return body
    }

    /// The event that waits for whoever turns out to be meant, of what the identity server has answered.
    private static func event(_ answer: JSON) throws -> (token: String, content: JSONValue) {
        guard let token = answer["token"]?.string, (1...255).contains(token.utf8.count),
            token.utf8.allSatisfy(isTokenCharacter), let name = answer["display_name"]?.string, name.utf8.count <= 500,
            let list = answer["public_keys"]
        else { throw IdentityService.nonsense }
        let keys = list.elements.prefix(10).compactMap { key -> JSONValue? in
            guard let text = key["public_key"]?.string, text.utf8.count <= 100,
                let url = key["key_validity_url"]?.string,
                url.utf8.count <= 2_000
            else { return nil }
            return ["public_key": .string(text), "key_validity_url": .string(url)]
        }
        guard let first = keys.first else { throw IdentityService.nonsense }
        // One key stands beside the list, for those who do not know the list.
        var content: JSONValue = ["display_name": .string(name), "public_keys": .array(keys)]
        content["public_key"] = first["public_key"]
        content["key_validity_url"] = first["key_validity_url"]
        return (token, content)
    }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: ".=_-".utf8.contains(byte)
        }
    }
}
