import Matrix
import Store

/// The profiles of this server's users, for membership events.
public struct StoredProfiles: MemberProfiles {
    private let store: Store

    /// - Parameter store: Where profiles are.
    public init(store: Store) { self.store = store }

    /// The name and picture of a user as they are now.
    public func memberProfile(of user: UserID) async throws -> MemberProfile {
        try await store.read { reader in
            guard let number = try reader.identifiers.number(of: user) else { return MemberProfile() }
            return try ProfileService.nameAndPicture(of: number, reader)
        }
    }
}
