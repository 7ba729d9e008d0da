import Homeserver
import Store
import Web

extension Router {
    /// Adds the administration endpoints of the Unix socket. Whoever can open the socket is an administrator: they ask for no
    /// token, and must never be served on an address of the network.
    public func addLocalAdministrationRoutes(
        accounts: AccountService, rooms: RoomService, store: Store, in environment: EndpointEnvironment
    ) {
        add(CreateUser(accounts: accounts), in: environment)
        add(ListUsers(store: store), in: environment)
        add(GetUser(accounts: accounts, store: store), in: environment)
        add(UpdateUser(accounts: accounts), in: environment)
        add(ListRooms(rooms: rooms, store: store), in: environment)
        add(GetRoom(rooms: rooms, store: store), in: environment)
    }
}
