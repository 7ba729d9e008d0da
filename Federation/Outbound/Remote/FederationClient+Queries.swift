import FederationWire
import Homeserver
import Matrix

extension FederationClient: RemoteServers {
    /// Devices and cross-signing keys of users of another server.
    public func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON {
        try await send(KeysQueryRequest(devices, timeoutMilliseconds: timeoutMilliseconds), to: server)
    }

    /// One-time keys of devices of users of another server.
    public func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON {
        try await send(KeysClaimRequest(keys, timeoutMilliseconds: timeoutMilliseconds), to: server)
    }
}

extension FederationClient: RemoteDevices, RemoteHierarchies, RemoteTimestamps, RemoteIdentities, PolicyServers {
    /// A user's devices, as that user's server tells them.
    public func devices(of user: UserID) async throws(RemoteServerFailure) -> JSON {
        try await send(UserDevicesRequest(user), to: user.server)
    }

    /// A space and its children.
    public func hierarchy(
        of room: RoomID, suggestedOnly: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> JSON {
        try await send(HierarchyRequest(of: room, suggestedOnly: suggestedOnly), to: server)
    }

    /// The event nearest to a time.
    public func event(
        nearestTo timestamp: Int64, searchesForward: Bool, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (event: EventID, originServerTS: Int64) {
        try await send(
            TimestampToEventRequest(in: room, timestamp: timestamp, searchesForward: searchesForward), to: server)
    }

    /// The user of the server asked that the token was made by.
    public func user(ofOpenIDToken token: String, at server: ServerName) async throws(RemoteServerFailure) -> UserID {
        try await send(OpenIDUserRequest(accessToken: token, at: server), to: server)
    }

    /// The signatures of a policy server on an event, unverified; none if it does not recommend the event.
    public func signatures(
        on event: Event, by server: ServerName
    ) async throws(RemoteServerFailure) -> [SigningKeyID: [UInt8]] {
        do {
            return try await send(PolicySignRequest(event, at: server), to: server)
        } catch  where error.isAnswer && error.status == 400 && error.code == .forbidden {
            return [:]
        }
    }
}

extension FederationClient: RemoteProfiles {
    /// A remote user's profile, or one field of it, as an object.
    ///
    /// - Throws: 404 if there is none, 403 if the server does not tell; 502 if the server cannot be asked.
    public func profile(of user: UserID, field: String?) async throws -> JSON {
        do {
            let profile = try await send(ProfileRequest(of: user, field: field), to: user.server)
            guard let field else { return profile }
            // A field that is not set may be left out or null.
            guard let value = profile[field], !value.isNull else {
                throw MatrixError.notFound("The profile has no such field")
            }
            return JSONValue.object(JSONObject([(field, value.value)])).json
        } catch let failure as RemoteServerFailure {
            switch failure.status {
            case 404 where failure.isAnswer: throw MatrixError.notFound("There is no such user or field")
            case 403: throw MatrixError.forbidden(failure.message)
            default: throw MatrixError(502, .unknown, failure.message)
            }
        }
    }
}

extension FederationClient: RemoteDirectory {
    /// What an alias of another server stands for, or `nil` if that server cannot be reached or does not know it.
    public func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias? {
        do {
            let (room, servers) = try await send(AliasRequest(alias), to: alias.server)
            return ResolvedAlias(room: room, servers: servers)
        } catch {
            return nil
        }
    }

    /// A page of another server's published rooms, as that server wrote it: a JSON object.
    ///
    /// - Throws: `MatrixError` if that server cannot be reached or refuses.
    public func publicRooms(of server: ServerName, _ query: PublicRoomsQuery) async throws -> JSON {
        let request = PublicRoomsRequest(
            limit: query.limit, since: query.since, searchTerm: query.searchTerm, roomTypes: query.roomTypes,
            thirdPartyInstanceID: query.thirdPartyInstanceID, includesAllNetworks: query.includesAllNetworks
        )
        do {
            return try await send(request, to: server)
        } catch {
            if error.isAnswer, error.status == 403 || error.status == 404 {
                throw MatrixError(error.status, error.code ?? .forbidden, error.message)
            }
            throw MatrixError(502, .unknown, error.message)
        }
    }
}

extension FederationClient: KeySource {
    /// The document that a server gives out itself, unverified.
    public func keyDocument(of server: ServerName) async throws(RemoteServerFailure) -> JSON {
        try await send(ServerKeysRequest(), to: server)
    }

    /// What a notary answers to a query, unverified.
    public func askNotary(_ notary: ServerName, _ query: ServerKeyQuery) async throws(RemoteServerFailure) -> JSON {
        try await send(NotaryRequest(query), to: notary)
    }
}

extension FederationClient: TransactionTransport {
    /// Sends a transaction, also to a server that is known to be down: the sender has its own schedule.
    public func send(
        _ transaction: FederationTransaction, id: String, to server: ServerName
    ) async throws(RemoteServerFailure) -> [EventID: String] {
        try await send(SendTransactionRequest(transaction, id: id), to: server, evenIfDown: true)
    }
}
