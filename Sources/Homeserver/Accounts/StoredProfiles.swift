import Matrix
import Store

/// The profiles of this server's users, for membership events.
public struct StoredProfiles: MemberProfiles {
    private let store: Store
    private let provision: any Provision

    /// - Parameters:
    ///   - store: Where profiles are.
    ///   - provision: Makes users who are not there yet when they are invited.
    public init(store: Store, provision: any Provision = NoProvision()) {
        self.store = store
        self.provision = provision
    }

    /// The name and picture of a user as they are now.
    public func memberProfile(of user: UserID) async throws -> MemberProfile {
        if let profile = try await stored(user) { return profile }
        guard await provision.provide(user) else { return MemberProfile() }
        return try await stored(user) ?? MemberProfile()
    }

    /// `nil` for a user without an account.
    private func stored(_ user: UserID) async throws -> MemberProfile? {
        try await store.read { reader in
            guard let account = try reader.accounts.account(user) else { return nil }
            return try ProfileService.nameAndPicture(of: account.user, reader)
        }
    }
}
