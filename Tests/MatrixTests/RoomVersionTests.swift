import Testing

@testable import Matrix

/// Each rule and the versions it holds in, as the pages of the [room versions](https://spec.matrix.org/v1.19/rooms/) say.
@Suite struct RoomVersionTests {
    /// The identifiers of the versions that satisfy `condition`.
    private func versions(_ condition: (RoomVersion) -> Bool) -> [String] {
        RoomVersion.all.filter(condition).map(\.id)
    }

    private func from(_ first: Int) -> [String] { (first...12).map(String.init) }
    private func upTo(_ last: Int) -> [String] { (1...last).map(String.init) }

    @Test func allAreKnownByTheirIdentifier() {
        #expect(RoomVersion.all.map(\.id) == from(1))
        for version in RoomVersion.all { #expect(RoomVersion(id: version.id) == version) }
        for id in ["", "0", "13", "01", "1.0", "org.matrix.msc2176", " 1", "１"] { #expect(RoomVersion(id: id) == nil) }
    }

    @Test func formats() {
        #expect(versions { $0.eventFormat == .v1 } == upTo(2))
        #expect(versions { $0.eventFormat == .v2 } == (3...11).map(String.init))
        #expect(versions { $0.eventFormat == .v3 } == from(12))
        #expect(versions { $0.eventIDFormat == .chosenByServer } == upTo(2))
        #expect(versions { $0.eventIDFormat == .base64 } == ["3"])
        #expect(versions { $0.eventIDFormat == .base64URL } == from(4))
        #expect(versions(\.strictCanonicalJSON) == from(6))
        #expect(versions(\.roomIDIsCreateHash) == from(12))
        #expect(versions(\.noCreateInAuthEvents) == from(12))
    }

    @Test func rules() {
        #expect(versions { $0.stateResolution == .v1 } == ["1"])
        #expect(versions { $0.stateResolution == .v2 } == (2...11).map(String.init))
        #expect(versions { $0.stateResolution == .v2_1 } == from(12))
        #expect(versions(\.redactionAuthRule) == upTo(2))
        #expect(versions(\.aliasesSpecialAuth) == upTo(5))
        #expect(versions(\.signingKeyValidity) == from(5))
        #expect(versions(\.limitNotificationsPowerLevels) == from(6))
        #expect(versions(\.knocking) == from(7))
        #expect(versions(\.restrictedJoins) == from(8))
        #expect(versions(\.joinRulesAllowKeptOnRedaction) == from(8))
        #expect(versions(\.restrictedJoinFieldsKeptOnRedaction) == from(9))
        #expect(versions(\.knockRestricted) == from(10))
        #expect(versions(\.integerPowerLevels) == from(10))
        #expect(versions(\.implicitCreator) == from(11))
        #expect(versions(\.updatedRedaction) == from(11))
        #expect(versions(\.redactsInContent) == from(11))
        #expect(versions(\.privilegedCreators) == from(12))
        #expect(versions(\.additionalCreators) == from(12))
    }
}
