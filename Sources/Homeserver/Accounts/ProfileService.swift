import Matrix
import Store

/// Makes a changed profile known in rooms.
public protocol ProfilePropagation: Sendable {
    /// Puts a user's name and picture, as they are now, into their membership of every room they are joined to.
    func profileChanged(of user: UserID) async throws
}

/// Asks other servers for the profiles of their users.
public protocol RemoteProfiles: Sendable {
    /// A remote user's profile, or one field of it, as an object.
    ///
    /// - Throws: 404 if there is none; 502 if the server cannot be asked.
    func profile(of user: UserID, field: String?) async throws -> JSON
}

/// Profiles: what users tell of themselves.
///
/// [Profiles](https://spec.matrix.org/v1.19/client-server-api/#profiles).
public final class ProfileService: Sendable {
    /// The field for the name that others see.
    public static let displayNameField = "displayname"
    /// The field for the picture that others see.
    public static let avatarField = "avatar_url"

    private let store: Store
    private let serverName: ServerName
    private let propagation: any ProfilePropagation
    private let remote: any RemoteProfiles
    private let provision: any Provision

    private static let maximumProfileBytes = 64 << 10
    private static let maximumNameBytes = 255
    private static let maximumAvatarBytes = 1000

    /// - Parameters:
    ///   - store: Where profiles are.
    ///   - serverName: This server.
    ///   - propagation: Makes changes known in rooms.
    ///   - remote: Asks other servers.
    ///   - provision: Makes users who are not there yet when somebody asks for them.
    public init(
        store: Store, serverName: ServerName, propagation: any ProfilePropagation, remote: any RemoteProfiles,
        provision: any Provision = NoProvision()
    ) {
        self.store = store
        self.serverName = serverName
        self.propagation = propagation
        self.remote = remote
        self.provision = provision
    }

    /// A user's whole profile, an object.
    ///
    /// - Throws: 404 `M_NOT_FOUND` for an unknown user.
    public func profile(of user: UserID) async throws -> JSON {
        guard user.isLocal(to: serverName) else { return try await remote.profile(of: user, field: nil) }
        let number = try await account(of: user)
        let fields = try await store.read { try $0.profiles.fields(of: number) }
        var writer = JSONWriter()
        writer.beginObject()
        for field in fields {
            writer.key(field.name)
            writer.writeRaw(field.value)
        }
        writer.endObject()
        return try JSON(parsing: writer.bytes)
    }

    /// One field of a user's profile, as an object of that one member.
    ///
    /// A name or a picture that is not set is left out: before other fields there were, that was the answer, and clients take 404 for a
    /// user who does not exist.
    ///
    /// - Throws: 404 `M_NOT_FOUND` for an unknown user, or one without that field.
    public func field(_ name: String, of user: UserID) async throws -> JSON {
        guard user.isLocal(to: serverName) else { return try await remote.profile(of: user, field: name) }
        let number = try await account(of: user)
        let value = try await store.read { try $0.profiles.field(name, of: number) }
        guard value != nil || name == Self.displayNameField || name == Self.avatarField else {
            throw MatrixError.notFound("The profile has no such field")
        }
        var writer = JSONWriter()
        writer.beginObject()
        if let value {
            writer.key(name)
            writer.writeRaw(value)
        }
        writer.endObject()
        return try JSON(parsing: writer.bytes)
    }

    private func account(of user: UserID) async throws -> UserNumber {
        if let account = try await store.read({ try $0.accounts.account(user) }) { return account.user }
        guard await provision.provide(user), let account = try await store.read({ try $0.accounts.account(user) })
        else { throw Self.unknownUser }
        return account.user
    }

    /// Sets a field of a local user's profile. An empty or null name or picture is removed.
    ///
    /// - Throws: 400 `M_INVALID_PARAM`, `M_KEY_TOO_LARGE`, `M_PROFILE_TOO_LARGE`.
    ///
    /// - Parameters:
    ///   - name: The field.
    ///   - value: Its value.
    ///   - user: Whose profile.
    ///   - alongside: What else is done in the same transaction, before.
    public func set(
        _ name: String, to value: JSON, of user: UserID,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try Self.checkName(name)
        if try Self.isRemoval(name, value) { return try await delete(name, of: user, alongside: alongside) }
        let field = ProfileField(name: name, value: Array(value.bytes))
        try await change(user) { writer, number in
            try alongside(writer)
            try writer.profiles.set(field, of: number)
            let size = try writer.read.profiles.fields(of: number)
                .reduce(2) { $0 + $1.name.utf8.count + $1.value.count + 4 }
            guard size <= Self.maximumProfileBytes else {
                throw MatrixError(400, "M_PROFILE_TOO_LARGE", "A profile has at most 64 KiB")
            }
        }
    }

    /// Removes a field of a local user's profile, if it is there.
    ///
    /// - Throws: 400 `M_INVALID_PARAM`, `M_KEY_TOO_LARGE`.
    public func delete(
        _ name: String, of user: UserID, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try Self.checkName(name)
        try await change(user) { writer, number in
            try alongside(writer)
            _ = try writer.profiles.delete(name, of: number)
        }
    }

    private func change(
        _ user: UserID, _ body: @escaping @Sendable (StoreWriter, UserNumber) throws -> Void
    ) async throws {
        let isVisible = try await store.write { writer -> Bool in
            guard let account = try writer.read.accounts.account(user) else { throw Self.unknownUser }
            let before = try Self.nameAndPicture(of: account.user, writer.read)
            try body(writer, account.user)
            return try Self.nameAndPicture(of: account.user, writer.read) != before
        }
        guard isVisible else { return }
        // The client's going away must not leave half of the rooms with the old name.
        try await Task.detached { [propagation] in try await propagation.profileChanged(of: user) }.value
    }

    /// What a local user's membership events say.
    static func nameAndPicture(of user: UserNumber, _ reader: StoreReader) throws -> MemberProfile {
        func text(_ field: String) throws -> String? {
            try reader.profiles.field(field, of: user).flatMap { try JSON(parsing: $0).string }
        }
        return MemberProfile(displayName: try text(displayNameField), avatarURL: try text(avatarField))
    }

    // MARK: Rules

    /// The [grammar of field names](https://spec.matrix.org/v1.19/appendices/#common-namespaced-identifier-grammar).
    private static func checkName(_ name: String) throws(MatrixError) {
        guard name.utf8.count <= 255 else {
            throw MatrixError(400, "M_KEY_TOO_LARGE", "A field's name has at most 255 bytes")
        }
        if name == displayNameField || name == avatarField { return }
        let isNamespaced =
            (name.utf8.first.map { (0x61...0x7A).contains($0) } ?? false) && name.utf8.contains(UInt8(ascii: "."))
        let isOfGrammar = name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
        guard isNamespaced, isOfGrammar else { throw .invalidParameter("This is no name for a profile's field") }
    }

    /// Accepts a value, and tells whether it removes the field.
    private static func isRemoval(_ name: String, _ value: JSON) throws(MatrixError) -> Bool {
        guard value.bytes.count <= maximumProfileBytes else {
            throw MatrixError(400, "M_PROFILE_TOO_LARGE", "A profile has at most 64 KiB")
        }
        let limit = name == displayNameField ? maximumNameBytes : maximumAvatarBytes
        switch name {
        case displayNameField, avatarField:
            if value.isNull { return true }
            guard let text = value.string else { throw .badJSON("\(name) must be a string") }
            guard text.utf8.count <= limit, !text.utf8.contains(0) else {
                throw .invalidParameter("\(name) has at most \(limit) bytes")
            }
            return text.isEmpty
        case "m.tz":
            guard let zone = value.string, zone.utf8.count <= 255 else {
                throw .invalidParameter("m.tz must be the name of a time zone")
            }
            return false
        default: return false
        }
    }

    private static let unknownUser = MatrixError.notFound("There is no such user")
}
