import Homeserver
import Matrix
import Web

/// [POST /register](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register): makes an account.
struct Register: Endpoint {
    static let routes: [Route] = .client(.post, "/register")
    static let authentication: Authentication<Caller?> = .appService
    static let rateLimit: RateLimitClass = .registration

    let registration: RegistrationService
    let appServices: AppServiceAccounts?

    struct Request: RequestDecodable {
        enum Kind: String, Sendable {
            case user
            case guest
        }

        let kind: Kind
        let registration: RegistrationRequest
        let auth: JSON?
        /// Whether it is an application service that says it registers a user of its own.
        let isOfAppService: Bool
        let hasToken: Bool

        init(from input: RequestInput) throws {
            kind = try input.query("kind", as: .choice) ?? .user
            let body = try input.bodyOrEmpty
            isOfAppService = try body.optional("type", as: .string) == AppServiceLogin.type
            hasToken = input.hasAccessToken
            auth = try body.optional("auth", as: .rawObject)
            registration = RegistrationRequest(
                username: try body.optional("username", as: .string),
                password: try body.optional("password", as: .string),
                device: try DeviceRequest(from: body, of: input.request),
                inhibitsLogin: try body.optional("inhibit_login", as: .bool, default: false),
                guestAccessToken: try body.optional("guest_access_token", as: .string)
            )
        }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> SessionResponse {
        if request.isOfAppService {
            let wanted = request.registration
            let (accounts, service) = try AppServiceLogin.service(caller, hasToken: request.hasToken, appServices)
            let registered = try await accounts.register(
                wanted.username, by: service, device: wanted.inhibitsLogin ? nil : wanted.device)
            return SessionResponse(userID: registered.userID, session: registered.session)
        }
        let registered =
            switch request.kind {
            case .user: try await registration.register(request.registration, auth: request.auth)
            case .guest:
                try await registration.registerGuest(deviceName: request.registration.device.initialDisplayName)
            }
        return SessionResponse(userID: registered.userID, session: registered.session)
    }
}
