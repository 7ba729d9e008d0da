import Homeserver
import Web

extension Router {
    /// Serves room aliases and the room directory.
    ///
    /// - Parameters:
    ///   - directory: Aliases, and which rooms are listed.
    ///   - publicRooms: The list of rooms.
    ///   - rooms: The rooms, whose main alias may be the one that is removed.
    ///   - users: People by name.
    ///   - publicRoomsWithoutLogin: Whether the list is shown to those who are not logged in.
    ///   - environment: What endpoints have in common.
    public func addDirectoryRoutes(
        directory: DirectoryService, publicRooms: PublicRoomsService, rooms: RoomService, users: UserDirectory? = nil,
        publicRoomsWithoutLogin: Bool = false, in environment: EndpointEnvironment
    ) {
        add(GetAlias(directory: directory), in: environment)
        add(SetAlias(directory: directory), in: environment)
        add(DeleteAlias(directory: directory, rooms: rooms), in: environment)
        add(GetRoomAliases(directory: directory), in: environment)
        add(GetRoomVisibility(directory: directory), in: environment)
        add(SetRoomVisibility(directory: directory), in: environment)
        add(SetNetworkVisibility(directory: directory), in: environment)
        add(RemoveNetworkVisibility(directory: directory), in: environment)
        add(GetPublicRooms(publicRooms: publicRooms, withoutLogin: publicRoomsWithoutLogin), in: environment)
        add(SearchPublicRooms(publicRooms: publicRooms), in: environment)
        if let users { add(SearchUsers(directory: users), in: environment) }
    }
}
