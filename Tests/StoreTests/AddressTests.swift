import Matrix
import Store
import TestSupport
import Testing

@Suite struct AddressTests {
    private func onEachEngine(_ body: (Store, UserNumber, UserNumber) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let users = try await store.write { writer throws in
                try ["@alice:here.example", "@bob:here.example"].map { name in
                    let user = try #require(UserID(name))
                    return try #require(
                        try writer.accounts.insert(user, passwordHash: nil, flags: [], appService: nil, createdAt: 1))
                }
            }
            try await body(store, users[0], users[1])
        }
    }

    private func validation(
        _ sid: String, secret: String = "secret", address: String = "a@example.org", purpose: String = "add",
        attempt: Int64 = 1, expiresAt: Int64 = 100
    ) -> AddressValidation {
        AddressValidation(
            sid: sid, clientSecret: secret, address: address, purpose: purpose, tokenHash: [1, 2, 3],
            sendAttempt: attempt,
            nextLink: "https://x.example/", expiresAt: expiresAt)
    }

    @Test func anAddressBelongsToOne() async throws {
        try await onEachEngine { store, alice, bob in
            let ofAlice = AccountAddress(
                address: "a@example.org", user: alice, validatedAt: 1, addedAt: 2, resetsPassword: false)
            let ofBob = AccountAddress(address: "a@example.org", user: bob, validatedAt: 3, addedAt: 4)
            try await store.write { writer throws in
                #expect(try writer.addresses.add(ofAlice))
                #expect(try writer.addresses.add(ofBob) == false)
                #expect(
                    try writer.addresses.add(
                        AccountAddress(address: "é@example.org", user: alice, validatedAt: 1, addedAt: 1)))
                try writer.addresses.remove("a@example.org", of: bob)
            }
            try await store.read { reader throws in
                #expect(try reader.addresses.owner(of: "a@example.org") == alice)
                #expect(try reader.addresses.address("a@example.org") == ofAlice)
                #expect(try reader.addresses.owner(of: "A@example.org") == nil)
                #expect(try reader.addresses.addresses(of: alice).map(\.address) == ["é@example.org", "a@example.org"])
                #expect(try reader.addresses.addresses(of: bob).isEmpty)
            }
            try await store.write { try $0.addresses.removeAll(of: alice) }
            #expect(try await store.write { try $0.addresses.add(ofBob) })
            #expect(try await store.read { try $0.addresses.addresses(of: bob) } == [ofBob])
        }
    }

    @Test func aProofIsOneForClientAddressAndPurpose() async throws {
        try await onEachEngine { store, _, _ in
            try await store.write { writer throws in
                try writer.addresses.set(validation("one"), now: 0)
                try writer.addresses.set(validation("two", purpose: "register"), now: 0)
                try writer.addresses.set(validation("three", secret: "other"), now: 0)
                try writer.addresses.set(validation("four", attempt: 2, expiresAt: 200), now: 0)
                try writer.addresses.set(validation("four", attempt: 3, expiresAt: 200), now: 0)
            }
            try await store.read { reader throws in
                #expect(try reader.addresses.validation("one", now: 0) == nil)
                let found = try reader.addresses.validation(
                    clientSecret: "secret", address: "a@example.org", purpose: "add", now: 0)
                #expect(found?.sid == "four")
                #expect(found?.sendAttempt == 3)
                #expect(found?.tokenHash == [1, 2, 3])
                #expect(found?.nextLink == "https://x.example/")
                #expect(found?.validatedAt == nil)
                for sid in ["two", "three"] { #expect(try reader.addresses.validation(sid, now: 99)?.sid == sid) }
                #expect(try reader.addresses.validation("two", now: 100) == nil)
                #expect(try reader.addresses.validation("four", now: 199)?.sid == "four")
            }
        }
    }

    @Test func aProofIsGivenOnceAndUsedOnce() async throws {
        try await onEachEngine { store, _, _ in
            try await store.write { writer throws in
                try writer.addresses.set(validation("one"), now: 0)
                try writer.addresses.validate("one", at: 50, expiresAt: 300)
                try writer.addresses.validate("one", at: 60, expiresAt: 900)
                try writer.addresses.validate("none", at: 60, expiresAt: 900)
            }
            let given = try await store.read { try $0.addresses.validation("one", now: 299) }
            #expect(given?.validatedAt == 50)
            #expect(try await store.read { try $0.addresses.validation("one", now: 300) } == nil)
            let used = try await store.write { writer throws in
                [try writer.addresses.removeValidation("one"), try writer.addresses.removeValidation("one")]
            }
            #expect(used == [true, false])
        }
    }

    @Test func whatHasExpiredGoes() async throws {
        try await onEachEngine { store, _, _ in
            try await store.write { writer throws in
                for number in 0..<10 {
                    try writer.addresses.set(validation("sid \(number)", secret: "s\(number)"), now: 0)
                }
                try writer.addresses.set(validation("last", secret: "last", expiresAt: 500), now: 100)
            }
            let rows = try await store.read { reader throws in
                try reader.sql.first("SELECT COUNT(*) FROM address_validations") { try $0.int(0) }
            }
            #expect(rows == 1)
        }
    }

    @Test func mailsAreCounted() async throws {
        try await onEachEngine { store, _, _ in
            var limits = MailLimits()
            limits.periodMilliseconds = 6_000
            limits.mailsToAnAddress = 2
            limits.addresses = 2
            let allowed = limits
            func count(_ address: String, _ now: Int64) async throws -> Int64? {
                try await store.write { try $0.addresses.countMail(to: address, now: now, limits: allowed) }
            }
            #expect(try await count("a", 1_000) == nil)
            #expect(try await count("a", 2_000) == nil)
            #expect(try await count("a", 3_000) == 7_000)
            #expect(try await count("b", 4_000) == nil)
            #expect(try await count("c", 4_000) == 4_100)
            #expect(try await count("b", 4_000) == nil)
            try await store.write { try $0.addresses.uncountMail(to: "b") }
            #expect(try await count("b", 5_000) == nil)
            #expect(try await count("b", 5_000) == 10_000)
            // The hour of the first is over, and so is the turn of the third.
            #expect(try await count("c", 7_000) == nil)
            #expect(try await count("a", 7_000) == 7_100)
        }
    }
}
