/// Every version that Chappe knows: each is the one before and what it changed.
extension RoomVersion {
    /// [Version 1](https://spec.matrix.org/v1.19/rooms/v1/).
    public static let v1 = RoomVersion(first: "1")
    /// [Version 2](https://spec.matrix.org/v1.19/rooms/v2/): state resolution.
    public static let v2 = v1.successor("2") { $0.stateResolution = .v2 }
    /// [Version 3](https://spec.matrix.org/v1.19/rooms/v3/): event IDs are hashes; redactions are checked apart from authorization.
    public static let v3 = v2.successor("3") {
        $0.eventFormat = .v2
        $0.eventIDFormat = .base64
        $0.redactionAuthRule = false
    }
    /// [Version 4](https://spec.matrix.org/v1.19/rooms/v4/): URL-safe event IDs.
    public static let v4 = v3.successor("4") { $0.eventIDFormat = .base64URL }
    /// [Version 5](https://spec.matrix.org/v1.19/rooms/v5/): validity of signing keys.
    public static let v5 = v4.successor("5") { $0.signingKeyValidity = true }
    /// [Version 6](https://spec.matrix.org/v1.19/rooms/v6/): canonical JSON; aliases lose, `notifications` gain protection.
    public static let v6 = v5.successor("6") {
        $0.strictCanonicalJSON = true
        $0.aliasesSpecialAuth = false
        $0.limitNotificationsPowerLevels = true
    }
    /// [Version 7](https://spec.matrix.org/v1.19/rooms/v7/): knocking.
    public static let v7 = v6.successor("7") { $0.knocking = true }
    /// [Version 8](https://spec.matrix.org/v1.19/rooms/v8/): restricted joins.
    public static let v8 = v7.successor("8") {
        $0.restrictedJoins = true
        $0.joinRulesAllowKeptOnRedaction = true
    }
    /// [Version 9](https://spec.matrix.org/v1.19/rooms/v9/): restricted joins survive redaction.
    public static let v9 = v8.successor("9") { $0.restrictedJoinFieldsKeptOnRedaction = true }
    /// [Version 10](https://spec.matrix.org/v1.19/rooms/v10/): integers as power levels; `knock_restricted`.
    public static let v10 = v9.successor("10") {
        $0.integerPowerLevels = true
        $0.knockRestricted = true
    }
    /// [Version 11](https://spec.matrix.org/v1.19/rooms/v11/): redaction.
    public static let v11 = v10.successor("11") {
        $0.implicitCreator = true
        $0.updatedRedaction = true
        $0.redactsInContent = true
    }
    /// [Version 12](https://spec.matrix.org/v1.19/rooms/v12/): room IDs are hashes; creators above all; state resolution.
    public static let v12 = v11.successor("12") {
        $0.eventFormat = .v3
        $0.stateResolution = .v2_1
        $0.roomIDIsCreateHash = true
        $0.privilegedCreators = true
        $0.additionalCreators = true
    }

    /// All stable versions in the order of their appearance.
    public static let all: [RoomVersion] = [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12]

    private static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

    /// The version of that identifier, or `nil` if Chappe does not know it.
    public init?(id: String) {
        guard let version = Self.byID[id], version.id.utf8.elementsEqual(id.utf8) else { return nil }
        self = version
    }
}
