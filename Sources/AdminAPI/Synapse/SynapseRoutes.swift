import Homeserver
import Web

extension Router {
    /// Adds administration endpoints compatible with [Synapse](https://element-hq.github.io/synapse/latest/usage/administration/admin_api/),
    /// for the tools that were made for it.
    ///
    /// - Parameters:
    ///   - services: What they work with.
    ///   - environment: What endpoints have in common; it says whether everybody is an administrator.
    public func addSynapseRoutes(_ services: SynapseServices, in environment: EndpointEnvironment) {
        add(GetSynapseVersion(version: services.version), in: environment)
        addSynapseUsers(services, in: environment)
        addSynapseTokens(services, in: environment)
        addSynapseRooms(services, in: environment)
        addSynapseMedia(services, in: environment)
        add(ListSynapseReports(services: services), in: environment)
        add(GetSynapseReport(services: services), in: environment)
        add(DeleteSynapseReport(services: services), in: environment)
        add(ListSynapseUserReports(services: services), in: environment)
        add(GetSynapseUserReport(services: services), in: environment)
        add(DeleteSynapseUserReport(services: services), in: environment)
        add(ListSynapseDestinations(services: services), in: environment)
        add(GetSynapseDestination(services: services), in: environment)
        add(ListSynapseDestinationRooms(services: services), in: environment)
        add(ResetSynapseDestination(services: services), in: environment)
        add(GetSynapseUpdates(), in: environment)
        add(GetSynapseUpdatesEnabled(), in: environment)
    }

    private func addSynapseRooms(_ services: SynapseServices, in environment: EndpointEnvironment) {
        add(ListSynapseRooms(services: services), in: environment)
        add(GetSynapseRoom(services: services), in: environment)
        add(GetSynapseRoomMembers(services: services), in: environment)
        add(GetSynapseRoomState(services: services), in: environment)
        add(GetSynapseRoomMessages(services: services), in: environment)
        add(GetSynapseRoomContext(services: services), in: environment)
        add(GetSynapseRoomHierarchy(services: services), in: environment)
        add(GetSynapseForwardExtremities(services: services), in: environment)
        add(GetSynapseEventByTime(services: services), in: environment)
        add(FetchSynapseEvent(services: services), in: environment)
        add(GetSynapseRoomBlock(store: services.store), in: environment)
        add(SetSynapseRoomBlock(services: services), in: environment)
        add(MakeSynapseRoomAdmin(services: services), in: environment)
        add(JoinSynapseRoom(services: services), in: environment)
        add(DeleteSynapseRoom(services: services), in: environment)
        add(StartSynapseRoomDeletion(services: services), in: environment)
        add(GetSynapseRoomDeletions(services: services), in: environment)
        add(GetSynapseRoomDeletion(services: services), in: environment)
        add(PurgeSynapseHistory(services: services), in: environment)
        add(GetSynapseHistoryPurge(services: services), in: environment)
    }

    private func addSynapseMedia(_ services: SynapseServices, in environment: EndpointEnvironment) {
        add(GetSynapseMedia(services: services), in: environment)
        add(DeleteSynapseMedia(services: services), in: environment)
        add(QuarantineSynapseMedia(services: services), in: environment)
        add(UnquarantineSynapseMedia(services: services), in: environment)
        add(ProtectSynapseMedia(services: services), in: environment)
        add(UnprotectSynapseMedia(services: services), in: environment)
        add(QuarantineSynapseUserMedia(services: services), in: environment)
        add(GetSynapseRoomMedia(services: services), in: environment)
        add(QuarantineSynapseRoomMedia(services: services), in: environment)
        add(PurgeSynapseRemoteMedia(services: services), in: environment)
        add(DeleteSynapseOldMedia(services: services), in: environment)
    }

    private func addSynapseUsers(_ services: SynapseServices, in environment: EndpointEnvironment) {
        add(ListSynapseUsers(store: services.store), in: environment)
        add(ListSynapseUsersV3(store: services.store), in: environment)
        add(GetSynapseUser(services: services), in: environment)
        add(PutSynapseUser(services: services), in: environment)
        add(GetUsernameAvailable(accounts: services.accounts), in: environment)
        add(FindUserByAddress(accounts: services.accounts), in: environment)
        add(WhoIsSynapseUser(services: services), in: environment)
        add(DeactivateSynapseUser(services: services), in: environment)
        add(ResetSynapsePassword(services: services), in: environment)
        add(GetSynapseAdmin(services: services), in: environment)
        add(SetSynapseAdmin(services: services), in: environment)
        add(SuspendSynapseUser(services: services), in: environment)
        add(RedactSynapseUser(services: services), in: environment)
        add(GetSynapseRedaction(services: services), in: environment)
        add(LoginAsSynapseUser(services: services), in: environment)
        add(ShadowBanSynapseUser(services: services), in: environment)
        add(UnshadowBanSynapseUser(services: services), in: environment)
        add(GetSynapseRateLimit(services: services), in: environment)
        add(SetSynapseRateLimit(services: services), in: environment)
        add(DeleteSynapseRateLimit(services: services), in: environment)
        add(FindUserByExternalID(store: services.store), in: environment)
        add(GetSynapseJoinedRooms(store: services.store), in: environment)
        add(GetSynapseMemberships(store: services.store), in: environment)
        add(GetSynapseAccountData(services: services), in: environment)
        add(GetSynapsePushers(services: services), in: environment)
        add(ListSynapseUserMedia(services: services), in: environment)
        add(DeleteSynapseUserMedia(services: services), in: environment)
        add(GetSynapseMediaStatistics(store: services.store), in: environment)
        add(ListSynapseDevices(services: services), in: environment)
        add(MakeSynapseDevice(services: services), in: environment)
        add(GetSynapseDevice(services: services), in: environment)
        add(RenameSynapseDevice(services: services), in: environment)
        add(DeleteSynapseDevice(services: services), in: environment)
        add(DeleteSynapseDevices(services: services), in: environment)
    }

    private func addSynapseTokens(_ services: SynapseServices, in environment: EndpointEnvironment) {
        add(ListSynapseTokens(services: services), in: environment)
        add(GetSynapseToken(services: services), in: environment)
        add(MakeSynapseToken(services: services), in: environment)
        add(PutSynapseToken(services: services), in: environment)
        add(DeleteSynapseToken(services: services), in: environment)
    }
}
