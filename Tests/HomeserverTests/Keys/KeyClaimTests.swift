import Homeserver
import Matrix
import Store
import Testing

@Suite struct KeyClaimTests {
    private func claim(_ fixture: KeysFixture, _ user: KeyUser, _ algorithm: KeyAlgorithm = "a") async throws -> String?
    {
        let answer = try await fixture.keys.claim([user.id: [user.devices[0]: algorithm]])
        return answer.keys[user.id]?[user.devices[0]]?.id.name
    }

    @Test func keysAreGivenOutInTheOrderOfUploads() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            for name in ["z", "m", "b", "q"] { try await fixture.upload(alice, oneTime: .object(["a:\(name)": "key"])) }
            var claimed: [String?] = []
            for _ in 0..<5 { claimed.append(try await claim(fixture, alice)) }
            #expect(claimed == ["z", "m", "b", "q", nil])
        }
    }

    @Test func concurrentClaimsNeverGetTheSameKey() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await fixture.upload(
                alice, oneTime: .object(JSONObject((0..<40).map { ("a:\($0)", .string("key \($0)")) }))
            )
            let claimed = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<60 { group.addTask { try await claim(fixture, alice) } }
                return try await group.reduce(into: [String]()) { if let name = $1 { $0.append(name) } }
            }
            #expect(claimed.count == 40)
            #expect(Set(claimed).count == 40)
        }
    }

    @Test func aClaimedKeyIsNotOfferedAgain() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let keys: JSONValue = ["a:1": "first"]
            try await fixture.upload(alice, oneTime: keys)
            #expect(try await claim(fixture, alice) == "1")
            // The answer to the upload was lost: the client sends the same once more.
            #expect(try await fixture.upload(alice, oneTime: keys)["a"] == nil)
            #expect(try await claim(fixture, alice) == nil)
            // A client that counts anew means another key.
            try await fixture.upload(alice, oneTime: ["a:1": "second"])
            #expect(try await claim(fixture, alice) == "1")
            // What was claimed long ago is forgotten at the next upload.
            fixture.clock.advance(by: 31 * 86_400_000)
            try await fixture.upload(alice, oneTime: ["a:2": "other"])
            #expect(try await fixture.upload(alice, oneTime: ["a:1": "second"])["a"] == 2)
        }
    }

    @Test func theFallbackKeyIsGivenWhenNoOtherIsLeft() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let unused = {
                try await fixture.keys.counts.counts(of: alice.devices[0], of: alice.number).unusedFallbackKeys
            }
            let fallback: JSONValue = ["a:fallback": ["key": "f", "fallback": true]]
            try await fixture.upload(alice, oneTime: ["a:1": "key"], fallback: fallback)
            #expect(try await unused() == ["a"])
            #expect(try await claim(fixture, alice) == "1")
            #expect(try await unused() == ["a"])
            #expect(try await claim(fixture, alice) == "fallback")
            #expect(try await unused() == [])
            // Used or not, it is given out again, and nothing has changed by that.
            let end = fixture.store.journal.end
            #expect(try await claim(fixture, alice) == "fallback")
            #expect(fixture.store.journal.end == end)
            // The same key does not count as unused; a new one does.
            try await fixture.upload(alice, fallback: fallback)
            #expect(try await unused() == [])
            try await fixture.upload(alice, fallback: ["a:new": ["key": "g", "fallback": true]])
            #expect(try await unused() == ["a"])
            #expect(try await claim(fixture, alice) == "new")
        }
    }

    @Test func otherServersAnswerOrFail() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let remote = try #require(UserID("@remote:there.example"))
            let silent = try #require(UserID("@remote:silent.example"))
            let device = try #require(DeviceID("D"))
            fixture.remote.answer(
                "there.example",
                [
                    "one_time_keys": [
                        "@remote:there.example": [
                            "D": ["a:1": "key", "b:1": "not asked for"], "E": ["a:2": "neither"],
                        ],
                        "@other:there.example": ["D": ["a:3": "nor this"]],
                    ]
                ]
            )
            let answer = try await fixture.keys.claim([remote: [device: "a"], silent: [device: "a"]])
            #expect(answer.keys.count == 1 && answer.keys[remote]?.count == 1)
            #expect(answer.keys[remote]?[device]?.id.string == "a:1")
            #expect(answer.failures.keys.map(\.string) == ["silent.example"])
        }
    }
}
