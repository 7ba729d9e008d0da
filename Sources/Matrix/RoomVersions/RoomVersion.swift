/// A room version: the set of rules that all servers of a room keep to.
///
/// Code asks for a rule by name and never compares versions, which have no order.
/// [Room versions](https://spec.matrix.org/v1.19/rooms/).
public struct RoomVersion: Sendable, Hashable, CustomStringConvertible {
    /// How events refer to others.
    public enum EventFormat: Sendable, Hashable {
        /// `prev_events` and `auth_events` are pairs of event ID and hashes.
        case v1
        /// They are event IDs.
        case v2
        /// They are event IDs, and the creation event is neither listed in `auth_events` nor has it a `room_id` of its own.
        case v3
    }

    /// Where event IDs come from.
    public enum EventIDFormat: Sendable, Hashable {
        /// `$opaque:server`, chosen by the sending server and part of the event.
        case chosenByServer
        /// `$` and the reference hash in standard Base64.
        case base64
        /// `$` and the reference hash in URL-safe Base64.
        case base64URL
    }

    /// The algorithm that settles which of several states holds.
    public enum StateResolution: Sendable, Hashable {
        case v1, v2
        /// Version 2 with the conflicted state subgraph and an empty start, of room version 12.
        case v2_1
    }

    /// The identifier, as it is written in `room_version`.
    public private(set) var id: String

    /// How events refer to others.
    public internal(set) var eventFormat = EventFormat.v1
    /// Where event IDs come from.
    public internal(set) var eventIDFormat = EventIDFormat.chosenByServer
    /// The algorithm that settles which of several states holds.
    public internal(set) var stateResolution = StateResolution.v1

    /// Events must be canonical JSON: integers only, within ±(2^53−1).
    public internal(set) var strictCanonicalJSON = false
    /// A signature only counts if its key was valid at the event's `origin_server_ts`.
    public internal(set) var signingKeyValidity = false
    /// Whether a redaction takes effect is part of the authorization rules (rule 11 of version 1).
    public internal(set) var redactionAuthRule = true
    /// `m.room.aliases` has an authorization rule of its own, and keeps `aliases` when redacted.
    public internal(set) var aliasesSpecialAuth = true
    /// `notifications` of the power levels is protected like `events`.
    public internal(set) var limitNotificationsPowerLevels = false

    /// Membership and join rule `knock`.
    public internal(set) var knocking = false
    /// Join rule `restricted`.
    public internal(set) var restrictedJoins = false
    /// `m.room.join_rules` keeps `allow` when redacted.
    public internal(set) var joinRulesAllowKeptOnRedaction = false
    /// `m.room.member` keeps `join_authorised_via_users_server` when redacted.
    public internal(set) var restrictedJoinFieldsKeptOnRedaction = false
    /// Join rule `knock_restricted`.
    public internal(set) var knockRestricted = false
    /// Power levels must be integers; otherwise strings (and, without ``strictCanonicalJSON``, fractions) stand for integers too.
    public internal(set) var integerPowerLevels = false

    /// The room's creator is the creation event's sender, not its `creator`.
    public internal(set) var implicitCreator = false
    /// Redaction keeps the creation event's content, `invite` of the power levels and the `signed` of a third-party invite, and
    /// no longer `origin`, `membership` and `prev_state`.
    public internal(set) var updatedRedaction = false
    /// What a redaction redacts is named in its content.
    public internal(set) var redactsInContent = false

    /// The room's identifier is the creation event's, with another sigil.
    public internal(set) var roomIDIsCreateHash = false
    /// The creators stand above all power levels.
    public internal(set) var privilegedCreators = false
    /// The creation event can name more creators.
    public internal(set) var additionalCreators = false

    /// Whether events name the creation event in `auth_events`.
    public var createInAuthEvents: Bool { eventFormat != .v3 }
    /// Whether events must leave the creation event out of `auth_events`.
    public var noCreateInAuthEvents: Bool { eventFormat == .v3 }
    /// Whether the event ID is computed from the event.
    public var eventIDIsHash: Bool { eventIDFormat != .chosenByServer }

    /// What the parser must enforce for events of this version.
    public var parserOptions: JSONParserOptions {
        JSONParserOptions(integersOnly: strictCanonicalJSON, maximumDepth: JSONParserOptions.maximumEventDepth)
    }

    /// The identifier.
    public var description: String { id }

    /// Whether the two are the same.
    public static func == (left: RoomVersion, right: RoomVersion) -> Bool { left.id == right.id }
    /// Feeds what makes two equal.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }

    /// The version without any of the later rules.
    init(first id: String) { self.id = id }

    /// A version like this one but for what `changes` sets.
    func successor(_ id: String, _ changes: (inout RoomVersion) -> Void) -> RoomVersion {
        var next = self
        next.id = id
        changes(&next)
        return next
    }
}
