import Matrix
import RoomEngine
import Store
import Synchronization

/// When users are notified.
///
/// What a user has changed is kept as the account data `m.push_rules`; clients are told of it together with the server's own rules.
///
/// [Push rules](https://spec.matrix.org/v1.19/client-server-api/#push-rules-api).
public final class PushRulesService: Sendable {
    /// The kinds of rule.
    public typealias Kind = PushRuleKind

    private let store: Store
    /// The rules that everyone starts with.
    public let defaults: DefaultPushRules
    private let compiled = GenerationalCache<UserNumber, CompiledRules>(budget: 200_000)
    /// Grows whenever rules change, so that rules that were read before are not remembered after.
    private let changes = Mutex<UInt64>(0)

    /// A service that listens to the journal from now on.
    public init(store: Store, defaults: DefaultPushRules = .standard) {
        self.store = store
        self.defaults = defaults
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .accountData(let data) = entry.change, data.room == nil,
                    ExactString(data.type) == ExactString(AccountDataType.pushRules)
                else { continue }
                self?.forget(data.user)
            }
        }
    }

    /// A user's rules.
    public func rules(of user: UserID) async throws -> PushRuleset {
        let number = try await store.intern(user)
        return try await store.read { try self.rules(of: user, number, $0) }
    }

    /// A rule.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func rule(_ kind: PushRuleKind, _ id: String, of user: UserID) async throws -> PushRule {
        let rules = try await rules(of: user)
        do { return try rules.rule(kind, id) } catch { throw MatrixError(error) }
    }

    /// A user's rules in the form in which they are evaluated. From memory if nothing has changed.
    public func compiledRules(of user: UserNumber) async throws -> CompiledRules {
        if let known = compiled[user] { return known }
        let before = changes.withLock { $0 }
        let rules = try await store.read { reader in
            CompiledRules(try self.rules(of: try reader.identifiers.user(user), user, reader))
        }
        changes.withLock { changes in
            if changes == before { compiled.insert(user, rules) }
        }
        return rules
    }

    /// Adds a rule or replaces what it says.
    ///
    /// - Throws: 400 for a rule that is malformed; 404 `M_NOT_FOUND` if `before` or `after` name none.
    public func put(
        _ kind: PushRuleKind, _ id: String, _ body: JSON, before: String?, after: String?, of user: UserID
    ) async throws {
        try await change(user) { rules throws(PushRuleError) in
            try rules.put(kind, id, body, before: before, after: after)
        }
    }

    /// Removes a rule.
    ///
    /// - Throws: 404 `M_NOT_FOUND`; 400 `M_INVALID_PARAM` for one of the server's own.
    public func remove(_ kind: PushRuleKind, _ id: String, of user: UserID) async throws {
        try await change(user) { rules throws(PushRuleError) in try rules.remove(kind, id) }
    }

    /// Enables or disables a rule.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func setEnabled(_ kind: PushRuleKind, _ id: String, _ isEnabled: Bool, of user: UserID) async throws {
        try await change(user) { rules throws(PushRuleError) in try rules.setEnabled(kind, id, isEnabled) }
    }

    /// Gives a rule other actions.
    ///
    /// - Throws: 404 `M_NOT_FOUND`; 400 for what are no actions.
    public func setActions(_ kind: PushRuleKind, _ id: String, _ actions: JSON, of user: UserID) async throws {
        try await change(user) { rules throws(PushRuleError) in try rules.setActions(kind, id, actions) }
    }

    // MARK: -

    private func change(
        _ user: UserID, _ body: @escaping @Sendable (inout PushRuleset) throws(PushRuleError) -> Void
    ) async throws {
        let number = try await store.intern(user)
        try await store.write { writer in
            let before = try self.rules(of: user, number, writer.read)
            var rules = before
            do throws(PushRuleError) { try body(&rules) } catch { throw MatrixError(error) }
            // A client that says what is so already wakes nobody.
            guard rules.stored != before.stored else { return }
            try writer.accountData.set(
                AccountDataRecord(
                    user: number, room: nil, type: AccountDataType.pushRules, content: rules.stored.serialized()),
                announcing: rules.content.serialized())
        }
    }

    private func rules(of user: UserID, _ number: UserNumber, _ reader: StoreReader) throws -> PushRuleset {
        let item = try reader.accountData.item(of: number, room: nil, type: AccountDataType.pushRules)
        return try ruleset(item?.data.content, user)
    }

    private func ruleset(_ stored: [UInt8]?, _ user: UserID) throws -> PushRuleset {
        guard let stored else { return PushRuleset(user: user, defaults: defaults) }
        guard let json = try? JSON(parsing: stored) else {
            throw StoreError.inconsistent("the push rules of \(user) are not JSON")
        }
        return PushRuleset(stored: json, user: user, defaults: defaults)
    }

    private func forget(_ user: UserNumber) {
        changes.withLock { changes in
            changes += 1
            compiled.remove(user)
        }
    }
}

extension PushRulesService: PushRulesRendering {
    /// The rules as clients are told them: the user's own and the server's.
    public func render(_ stored: [UInt8]?, for user: UserID) throws -> [UInt8] {
        try ruleset(stored, user).content.serialized()
    }
}

extension MatrixError {
    /// What a client is told of a refused change of push rules.
    init(_ error: PushRuleError) {
        switch error {
        case .reservedID: self = .invalidParameter("Rules whose identifiers begin with a dot are the server's")
        case .reservedKind: self = .invalidParameter("Rules of this kind are the server's")
        case .invalidID: self = .invalidParameter("This cannot be the identifier of a rule")
        case .notFound: self = .notFound("There is no such push rule")
        case .unknownNeighbor(let id): self = .notFound("There is no rule \(id) of this kind to stand beside")
        case .invalidActions: self = .badJSON("actions must be a list of actions")
        case .invalidConditions: self = .badJSON("conditions must be a list of conditions")
        case .missingPattern: self = .missingParameter("A content rule needs a pattern")
        case .patternTooLong: self = .invalidParameter("The pattern is too long")
        case .tooManyRules:
            self = MatrixError(
                400, .resourceLimitExceeded, "An account may have \(PushRuleset.maximumRules) rules at most")
        }
    }
}
