import Database

/// The numbered migrations, one list for both database engines.
///
/// Types are written once: INTEGER is 64 bits wide, TEXT compares as bytes, BLOB is raw bytes; `Database` turns them into what
/// each engine calls them. A migration that has landed is never edited: what changes is a new migration at the end.
public enum Schema {
    /// Every migration, in order.
    public static let migrations: [Migration] = [
        .rooms,
        .accounts,
        .keys,
        .userData,
        .media,
        .roomGraph,
        .serverKeys,
        .destinations,
        .federationInbound,
        .services,
        .addresses,
        .keyDocuments,
        .relations,
        .userDirectory,
        .search,
        .dehydratedDevices,
        .delayedEvents,
        .pendingPushes,
        .appServices,
        .leanRooms,
        .audit,
        .urlPreviews,
        .identityBindings,
        .threadSubscriptionOrder,
        .stickyEvents,
        .retention,
        .serverNotices,
        .moderation,
        .meetings,
        .delegatedLeaves,
        .jobs,
        .roomPurges,
        .accountValidity,
        .accountRestrictions,
        .reads,
        .federationRules,
    ]
}
