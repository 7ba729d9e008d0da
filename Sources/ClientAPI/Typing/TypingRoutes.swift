import Homeserver
import Web

extension Router {
    /// Serves typing notifications.
    public func addTypingRoutes(
        typing: TypingService, presence: PresenceService, in environment: EndpointEnvironment
    ) {
        add(SetTyping(typing: typing, presence: presence), in: environment)
    }
}
