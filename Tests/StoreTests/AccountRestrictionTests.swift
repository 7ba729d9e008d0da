import Matrix
import Store
import TestSupport
import Testing

/// What administrators hold accounts to: their ends, limits, shadow bans, identifiers elsewhere; what is noted of them; and rules for servers.
@Suite struct AccountRestrictionTests {
    private func onEachEngine(_ body: (Store, [UserNumber]) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let users = try await store.write { writer throws in
                try ["@alice:here.example", "@bob:here.example", "@carol:here.example"].map { name in
                    let user = try #require(UserID(name))
                    return try #require(
                        try writer.accounts.insert(
                            user, passwordHash: nil, flags: [], appService: nil, createdAt: 1_000))
                }
            }
            try await body(store, users)
        }
    }

    @Test func anAccountEndsOnceAndIsRenewedByOneToken() async throws {
        try await onEachEngine { store, users in
            let (alice, bob) = (users[0], users[1])
            let token = TokenHash(of: "token")
            try await store.write { writer throws in
                try writer.accountValidity.set(AccountValidityRecord(user: alice, expiresAt: 500, dueAt: 400))
                try writer.accountValidity.set(
                    AccountValidityRecord(user: bob, expiresAt: 300, sendsMail: false, reminders: 1, dueAt: 300))
                try writer.accountValidity.setToken(token, of: alice)
            }
            try await store.read { reader throws in
                #expect(try reader.accountValidity.next() == 300)
                #expect(try reader.accountValidity.due(at: 399, limit: 10).map(\.user) == [bob])
                #expect(try reader.accountValidity.due(at: 400, limit: 10).map(\.user) == [bob, alice])
                #expect(try reader.accountValidity.due(at: 400, limit: 1).map(\.user) == [bob])
                #expect(try reader.accountValidity.validity(renewedBy: token)?.user == alice)
                #expect(try reader.accountValidity.validity(of: users[2]) == nil)
                #expect(try reader.accountValidity.validity(of: bob)?.sendsMail == false)
            }
            try await store.write { writer throws in
                let known = try #require(try writer.read.accountValidity.validity(of: alice))
                // What became another meanwhile is not advanced.
                var old = known
                old.expiresAt = 499
                try writer.accountValidity.advance(old, reminders: 7, dueAt: nil)
                #expect(try writer.read.accountValidity.validity(of: alice) == known)
                try writer.accountValidity.advance(known, reminders: 1, dueAt: 500)
                #expect(try writer.read.accountValidity.validity(of: alice)?.reminders == 1)
                try writer.accountValidity.renew(
                    AccountValidityRecord(user: alice, expiresAt: 900, dueAt: 800), usedAt: 450)
                // It is still known what it was used for, until the end is set anew.
                let renewed = try writer.read.accountValidity.validity(renewedBy: token)
                #expect(renewed?.expiresAt == 900 && renewed?.tokenUsedAt == 450 && renewed?.reminders == 0)
                try writer.accountValidity.set(AccountValidityRecord(user: alice, expiresAt: 950, dueAt: 900))
                #expect(try writer.read.accountValidity.validity(renewedBy: token) == nil)
                try writer.accountValidity.remove(alice)
                #expect(try writer.read.accountValidity.validity(of: alice) == nil)
            }
        }
    }

    @Test func accountsWithoutAnEndAreGivenOne() async throws {
        try await onEachEngine { store, users in
            try await store.write { writer throws in
                try writer.accountValidity.set(AccountValidityRecord(user: users[0], expiresAt: 5, dueAt: 5))
                for (name, flags, service) in [
                    ("@guest:here.example", AccountFlags.guest, nil), ("@_ghost:here.example", [], "bridge"),
                ] as [(String, AccountFlags, String?)] {
                    let user = try #require(UserID(name))
                    _ = try writer.accounts.insert(
                        user, passwordHash: nil, flags: flags, appService: service, createdAt: 1)
                }
                let now: Int64 = 1_000_000
                #expect(
                    try writer.accountValidity.populate(now: now, period: 10_000, spread: 1_000, reminder: 2_000) == 2)
                #expect(
                    try writer.accountValidity.populate(now: now, period: 10_000, spread: 1_000, reminder: 2_000) == 0)
                #expect(try writer.read.accountValidity.validity(of: users[0])?.expiresAt == 5)
                for user in users[1...] {
                    let validity = try #require(try writer.read.accountValidity.validity(of: user))
                    #expect((now + 9_000...now + 10_000).contains(validity.expiresAt))
                    #expect(validity.dueAt == validity.expiresAt - 2_000 && validity.sendsMail)
                }
            }
        }
    }

    @Test func shadowBansAreInMemoryToo() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let id = try #require(UserID("@eve:here.example"))
            let user = try await store.write { writer throws in
                try #require(
                    try writer.accounts.insert(id, passwordHash: nil, flags: [], appService: nil, createdAt: 1))
            }
            #expect(!store.shadowBannedUsers.contains(id))
            try await store.write { try $0.accounts.setFlags([.shadowBanned], of: user) }
            #expect(store.shadowBannedUsers.contains(id))
            #expect(try await store.read { try $0.accounts.account(id)?.flags } == [.shadowBanned])
            #expect(try await Store.open(database).shadowBannedUsers.contains(id))
            try await store.write { try $0.accounts.setFlags([], of: user) }
            #expect(!store.shadowBannedUsers.contains(id))
        }
    }

    @Test func limitsAndIdentifiersBelongToUsers() async throws {
        try await onEachEngine { store, users in
            let (alice, bob) = (users[0], users[1])
            let cas = ExternalID(provider: "cas", id: "Alice")
            try await store.write { writer throws in
                #expect(try writer.read.accounts.rateLimit(of: alice) == nil)
                try writer.accounts.setRateLimit(UserRateLimit(perSecond: 5, burst: 50), of: alice)
                try writer.accounts.setRateLimit(UserRateLimit(perSecond: 0, burst: 0), of: alice)
                #expect(try writer.read.accounts.rateLimit(of: alice) == UserRateLimit(perSecond: 0, burst: 0))
                try writer.accounts.setRateLimit(nil, of: alice)
                #expect(try writer.read.accounts.rateLimit(of: alice) == nil)

                #expect(try writer.externalIDs.add(cas, to: alice))
                #expect(try writer.externalIDs.add(cas, to: alice))
                #expect(try writer.externalIDs.add(cas, to: bob) == false)
                #expect(try writer.externalIDs.add(ExternalID(provider: "cas", id: "alice"), to: bob))
                #expect(try writer.externalIDs.add(ExternalID(provider: "b", id: "x"), to: alice))
                #expect(try writer.read.externalIDs.identifiers(of: alice).map(\.provider) == ["b", "cas"])
                try writer.externalIDs.remove(cas, of: bob)
                #expect(try writer.read.externalIDs.user(cas) == alice)
                try writer.externalIDs.removeAll(of: alice)
                #expect(try writer.read.externalIDs.user(cas) == nil)
            }
        }
    }

    @Test func readsAreBoundedByDayAndForgotten() async throws {
        try await onEachEngine { store, users in
            let (alice, bob) = (users[0], users[1])
            let day: Int64 = 86_400_000
            @Sendable func read(_ user: UserNumber, _ time: Int64, _ kind: ReadRecord.Kind = .messages) -> ReadRecord {
                ReadRecord(
                    user: user, time: time, kind: kind, subject: "!room:here.example", first: "s1", last: nil,
                    device: DeviceID("D"), address: "192.0.2.1")
            }
            try await store.write { writer throws in
                try writer.reads.add([read(alice, 1), read(bob, 2, .join), read(alice, 3, .media)], maximumADay: 3)
                try writer.reads.add([read(alice, 4), read(alice, 5), read(alice, day)], maximumADay: 3)
            }
            try await store.read { reader throws in
                func times(_ user: UserNumber, _ range: ClosedRange<Int64>, after: Int64 = 0, limit: Int = 10) throws
                    -> [Int64]
                {
                    try reader.reads.reads(of: user, in: range, after: after, limit: limit).map(\.record.time)
                }
                #expect(try times(alice, 0...day * 2).sorted() == [1, 3, 4, day])
                #expect(try times(alice, 2...4).sorted() == [3, 4])
                #expect(try times(bob, 0...day) == [2])
                #expect(try reader.reads.omitted(of: alice, in: 0...day * 2) == 1)
                #expect(try reader.reads.omitted(of: alice, in: day...day * 2) == 0)
                let first = try #require(try reader.reads.reads(of: bob, in: 0...day, after: 0, limit: 1).first)
                #expect(first.record == read(bob, 2, .join))
                #expect(try times(bob, 0...day, after: first.number).isEmpty)
            }
            #expect(try await store.write { try $0.reads.forget(before: day) } == false)
            #expect(try await store.read { try $0.reads.reads(of: alice, in: 0...day, after: 0, limit: 9) }.count == 1)
            #expect(try await store.read { try $0.reads.omitted(of: alice, in: 0...day) } == 0)
        }
    }

    @Test func rulesForServersHaveOnePattern() async throws {
        try await onEachEngine { store, _ in
            try await store.write { writer throws in
                try writer.federationRules.set(
                    FederationRule(pattern: "b.example", isAllowed: true, addedBy: "socket", addedAt: 1))
                try writer.federationRules.set(
                    FederationRule(pattern: "*.a.example", isAllowed: false, addedBy: "socket", addedAt: 2))
                try writer.federationRules.set(
                    FederationRule(pattern: "b.example", isAllowed: false, addedBy: "@x:y", addedAt: 3))
                #expect(
                    try writer.read.federationRules.all() == [
                        FederationRule(pattern: "*.a.example", isAllowed: false, addedBy: "socket", addedAt: 2),
                        FederationRule(pattern: "b.example", isAllowed: false, addedBy: "@x:y", addedAt: 3),
                    ])
                #expect(try writer.federationRules.remove("b.example"))
                #expect(try !writer.federationRules.remove("b.example"))
            }
        }
    }

    @Test func keysAreReplacedWhileThatIsAllowed() async throws {
        try await onEachEngine { store, users in
            try await store.write { writer throws in
                #expect(try writer.read.crossSigningKeys.replacementAllowed(of: users[0]) == nil)
                try writer.crossSigningKeys.allowReplacement(of: users[0], until: 5)
                try writer.crossSigningKeys.allowReplacement(of: users[0], until: 7)
                #expect(try writer.read.crossSigningKeys.replacementAllowed(of: users[0]) == 7)
                try writer.crossSigningKeys.allowReplacement(of: users[0], until: nil)
                #expect(try writer.read.crossSigningKeys.replacementAllowed(of: users[0]) == nil)
            }
        }
    }
}
