import Adapters
import Homeserver
import Logging
import Matrix
import Store
import Synchronization
import TestSupport
import Testing

/// Accounts that end, and the mails that renew them.
@Suite struct AccountValidityTests {
    /// Calls back at once what is due at a time, when the test says so.
    private final class Alarm: Scheduler {
        private let waiting = Mutex<[@Sendable () -> Void]>([])

        func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
            waiting.withLock { $0.append(action) }
        }

        func ring() {
            let actions = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            for action in actions { action() }
        }
    }

    private struct Fixture {
        let store: Store
        let clock = ManualClock()
        let mail = NotedMail()
        let alarm = Alarm()
        let rooms = NotedRooms()
        let sessions: SessionService
        let accounts: AccountService
        let validity: AccountValidity

        static let day: Int64 = 86_400_000

        init(_ store: Store, _ policy: AccountValidityPolicy) throws {
            self.store = store
            let randomness = SeededRandomness()
            let serverName = ServerName(trusted: "chappe.example")
            let removal = DeviceRemoval()
            let key = try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "1"))
            sessions = SessionService(
                store: store, clock: clock, randomness: randomness, removal: removal,
                activity: DeviceActivity(store: store), validity: policy)
            accounts = AccountService(
                store: store, serverName: serverName, clock: clock,
                hasher: Argon2PasswordHasher(effort: .cheap, threads: 1), sessions: sessions, removal: removal,
                departure: rooms, failedLogins: FailedLogins(burst: 5, intervalMilliseconds: 10_000),
                validity: policy)
            validity = AccountValidity(
                policy: policy, store: store, clock: clock, randomness: randomness, scheduler: alarm, mailer: mail,
                letters: ValidityLetter(serverName: serverName, baseURL: "https://matrix.chappe.example"),
                accounts: accounts, removal: removal,
                audit: AuditTrail(store: store, clock: clock, keys: key), logger: Logger(label: "test"))
        }

        func account(_ name: String, address: String? = nil) async throws -> (AccountRecord, String) {
            let id = try #require(UserID(localpart: name, server: ServerName(trusted: "chappe.example")))
            let session = try await accounts.create(
                NewAccount(userID: id, passwordHash: nil), device: DeviceRequest())
            let account = try #require(try await store.read { try $0.accounts.account(id) })
            if let address {
                try await store.write { [now = clock.now] writer in
                    _ = try writer.addresses.add(
                        AccountAddress(address: address, user: account.user, validatedAt: now, addedAt: now))
                }
            }
            return (account, try #require(session).accessToken)
        }

        func hasEnded(_ token: String) async throws -> Bool {
            let session = try await sessions.session(accessToken: token, address: "", userAgent: nil)
            return sessions.hasEnded(session)
        }

        /// Lets time pass, and waits until something holds.
        func pass(_ milliseconds: Int64, until holds: () async throws -> Bool) async throws {
            clock.advance(milliseconds: milliseconds)
            for _ in 0..<600 {
                alarm.ring()
                if try await holds() { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            Issue.record("it does not come to hold")
        }
    }

    private func onEachEngine(
        _ policy: AccountValidityPolicy, _ body: (Fixture) async throws -> Void
    ) async throws {
        try await withEachEngine { database in
            try await body(try Fixture(try await Store.open(database), policy))
        }
    }

    private static let policy = AccountValidityPolicy(
        periodMilliseconds: 30 * Fixture.day, reminders: [Fixture.day, 7 * Fixture.day, 40 * Fixture.day],
        exemptDomains: ["*.exempt.example", "alone.example"], exemptUsers: ["-bot"],
        deactivationMilliseconds: 10 * Fixture.day)

    @Test func usersAreRemindedThenTheirAccountEndsThenItGoes() async throws {
        try await onEachEngine(Self.policy) { fixture in
            let (account, token) = try await fixture.account("alice", address: "alice@here.example")
            try await fixture.validity.start()
            #expect(try await !fixture.hasEnded(token))
            try await fixture.pass(23 * Fixture.day) { fixture.mail.mails.count == 1 }
            try await fixture.pass(5 * Fixture.day) { true }
            #expect(fixture.mail.mails.count == 1)
            // A mail server that is away delays a reminder.
            fixture.mail.isFailing = true
            try await fixture.pass(Fixture.day) {
                try await fixture.store.read { try $0.accountValidity.next() } ?? 0 > fixture.clock.now
            }
            fixture.mail.isFailing = false
            try await fixture.pass(3_600_000) { fixture.mail.mails.count == 2 }
            #expect(try await !fixture.hasEnded(token))
            try await fixture.pass(Fixture.day) { try await fixture.hasEnded(token) }
            #expect(fixture.mail.mails.map(\.recipient.string) == ["alice@here.example", "alice@here.example"])
            try await fixture.pass(10 * Fixture.day) {
                try await fixture.store.read { try $0.accounts.account(account.user)?.flags } == [.deactivated]
            }
            #expect(fixture.rooms.departed == [account.userID])
            let told = try await fixture.store.read { try $0.audit.latest(AuditSelection(), before: nil, limit: 1) }
            #expect(told.first?.action == "user.deactivate" && told.first?.actor == AuditActor.expiry)
        }
    }

    @Test func aMailRenewsOnce() async throws {
        try await onEachEngine(Self.policy) { fixture in
            let (account, token) = try await fixture.account("alice", address: "alice@here.example")
            _ = try await fixture.account("bob")
            try await fixture.pass(31 * Fixture.day) { try await fixture.hasEnded(token) }
            try await fixture.validity.sendMail(to: account.user, account.userID)
            let link = try #require(fixture.mail.link)
            let text = try #require(link.split(separator: "=").last.map(String.init))
            #expect(link == "\(ValidityLetter.path)?token=\(text)" && text.utf8.count == 32)
            #expect(try await fixture.validity.renew(text + "x", by: nil) == .unknown)
            let end = fixture.clock.now + 30 * Fixture.day
            #expect(try await fixture.validity.renew(text, by: nil) == .renewed(until: end))
            #expect(try await !fixture.hasEnded(token))
            fixture.clock.advance(milliseconds: 1_000)
            #expect(try await fixture.validity.renew(text, by: nil) == .renewedBefore(until: end))
            // No more mails than an address may be sent in an hour.
            for _ in 0..<4 { try await fixture.validity.sendMail(to: account.user, account.userID) }
            await #expect(throws: MatrixError.self) {
                try await fixture.validity.sendMail(to: account.user, account.userID)
            }
            #expect(fixture.mail.mails.count == 5)
        }
    }

    @Test func aNumberRenewsForItsUserAlone() async throws {
        let policy = AccountValidityPolicy(periodMilliseconds: Fixture.day, reminders: [1_000], sendsLinks: false)
        try await onEachEngine(policy) { fixture in
            let (alice, _) = try await fixture.account("alice", address: "alice@here.example")
            let (bob, _) = try await fixture.account("bob")
            try await fixture.validity.sendMail(to: alice.user, alice.userID)
            let mail = try #require(fixture.mail.mails.last)
            let number = try #require(
                mail.text.split(whereSeparator: \.isWhitespace).first {
                    $0.utf8.count == 8 && $0.allSatisfy(\.isNumber)
                }.map(String.init))
            #expect(fixture.mail.link == nil)
            #expect(try await fixture.validity.renew(number, by: nil) == .unknown)
            #expect(try await fixture.validity.renew(number, by: bob.user) == .unknown)
            #expect(
                try await fixture.validity.renew(number, by: alice.user)
                    == .renewed(until: fixture.clock.now + Fixture.day))
        }
    }

    @Test func someAccountsDoNotEnd() async throws {
        try await onEachEngine(Self.policy) { fixture in
            let (_, inside) = try await fixture.account("inside", address: "a@office.exempt.example")
            let (_, alone) = try await fixture.account("alone", address: "a@alone.example")
            let (_, bot) = try await fixture.account("the-bot")
            let (above, outside) = try await fixture.account("outside", address: "a@exempt.example")
            let (_, below) = try await fixture.account("below", address: "a@sub.alone.example")
            try await fixture.validity.start()
            try await fixture.pass(29 * Fixture.day) { fixture.mail.mails.count == 2 }
            try await fixture.pass(2 * Fixture.day) { try await fixture.hasEnded(outside) }
            #expect(try await fixture.hasEnded(below))
            for token in [inside, alone, bot] { #expect(try await !fixture.hasEnded(token)) }
            await #expect(throws: MatrixError.self) {
                let bot = try #require(try await fixture.accounts.account(named: "the-bot"))
                try await fixture.validity.sendMail(to: bot.user, bot.userID)
            }
            // An administrator's word counts at once, for a session that is known too.
            _ = try await fixture.validity.set(above.user, until: nil, sendsMail: false)
            #expect(try await !fixture.hasEnded(outside))
            try await fixture.validity.end(of: above.user)
            try await fixture.pass(1_000 * Fixture.day) { try await !fixture.hasEnded(outside) }
        }
    }

    @Test func daysAreWrittenAsPeopleReadThem() {
        for (time, text) in [
            (Int64(0), "1970-01-01"), (951_782_400_000, "2000-02-29"), (951_868_800_000, "2000-03-01"),
            (1_798_761_599_999, "2026-12-31"), (-1, "1969-12-31"), (4_107_542_400_000, "2100-03-01"),
        ] {
            #expect(ValidityLetter.day(time) == text)
        }
    }
}
