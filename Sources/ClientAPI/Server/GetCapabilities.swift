import Matrix
import Web

/// [GET /capabilities](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities): what users may do here.
struct GetCapabilities: Endpoint {
    static let routes: [Route] = .client(.get, "/capabilities")
    static let authentication: Authentication<Caller> = .allowingGuests

    let features: ServerFeatures

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let versions = RoomVersion.all.map { ($0.id, JSONValue.string("stable")) }
        var capabilities: JSONObject = [
            "m.change_password": enabled(features.allowsPasswordChanges && !caller.isGuest),
            "m.room_versions": [
                "default": .string(features.defaultRoomVersion.id), "available": .object(JSONObject(versions)),
            ],
            "m.profile_fields": enabled(true),
            "m.set_displayname": enabled(true),
            "m.set_avatar_url": enabled(true),
            "m.3pid_changes": enabled(features.allowsAddressChanges && !caller.isGuest),
            "m.get_login_token": enabled(features.allowsLoginTokens && !caller.isGuest),
            "m.forget_forced_upon_leave": enabled(false),
        ]
        if caller.isAdministrator { capabilities["m.account_moderation"] = ["suspend": true, "lock": true] }
        return ["capabilities": .object(capabilities)]
    }

    private func enabled(_ isEnabled: Bool) -> JSONValue { ["enabled": .bool(isEnabled)] }
}
