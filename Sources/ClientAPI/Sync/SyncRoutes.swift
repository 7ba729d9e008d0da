import Homeserver
import Web

extension Router {
    /// Adds the endpoints by which clients hear of what happens.
    public func addSyncRoutes(
        sync: SyncService, sliding: SlidingSyncService, filters: FilterService, in environment: EndpointEnvironment
    ) {
        add(Sync(sync: sync, filters: filters), in: environment)
        add(SlidingSync(sync: sliding), in: environment)
        add(SlidingSyncV4(sync: sliding), in: environment)
        add(GetEvents(sync: sync), in: environment)
        add(GetInitialSync(sync: sync), in: environment)
        add(GetRoomInitialSync(sync: sync), in: environment)
    }
}
