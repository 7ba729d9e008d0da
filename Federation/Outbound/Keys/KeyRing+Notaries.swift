import FederationWire
import Homeserver
import Matrix

/// [Querying keys through another server](https://spec.matrix.org/v1.19/server-server-api/#querying-keys-through-another-server)
extension KeyRing {
    /// Asks one notary after the other until nothing is missing.
    func askNotaries(_ missing: Wanted) async {
        var missing = missing.filter { !policy.notaries.contains($0.key) }
        for notary in policy.notaries where !missing.isEmpty {
            let keys = await notaryKeys(notary)
            if keys.isEmpty { continue }
            var answered: Set<ServerName> = []
            for chunk in Self.chunks(missing, now: clock.now) {
                answered.formUnion(await ask(notary, keys, chunk))
            }
            missing = missing.filter { !answered.contains($0.key) }
        }
    }

    private func ask(
        _ notary: ServerName, _ keys: [SigningKeyID: VerifyKey], _ query: ServerKeyQuery
    ) async -> Set<ServerName> {
        var answered: Set<ServerName> = []
        do {
            let answer = try await source.askNotary(notary, query)
            for document in NotaryAnswer.documents(in: answer, notary: notary, keys: keys)
            where query.wanted[document.serverName] != nil {
                if await learn(document, isDirect: false) { answered.insert(document.serverName) }
            }
        } catch {
            logger.info("a notary does not answer", metadata: ["notary": "\(notary)", "reason": "\(error)"])
        }
        return answered
    }

    /// The keys that a notary signs with now. They are asked for of itself only.
    private func notaryKeys(_ notary: ServerName) async -> [SigningKeyID: VerifyKey] {
        let now = clock.now
        func inUse() -> [SigningKeyID: VerifyKey] {
            (given(notary) ?? known[notary] ?? [:]).filter { !$0.value.isOld && now <= $0.value.validUntilTS }
                .mapValues(\.key)
        }
        var keys = inUse()
        if keys.isEmpty, policy.pinned[notary] == nil {
            await read([notary])
            keys = inUse()
            if keys.isEmpty, schedule.permits(notary, for: .event, now: now), await fetch(notary) { keys = inUse() }
        }
        return keys
    }

    private static func chunks(_ missing: Wanted, now: Int64) -> [ServerKeyQuery] {
        var queries: [ServerKeyQuery] = []
        var chunk: [ServerName: [SigningKeyID: Int64]] = [:]
        for (server, keys) in missing {
            chunk[server] = keys.mapValues { $0 ?? 0 }
            if chunk.count == ServerKeyQuery.maximumServers / 5 {
                queries.append(ServerKeyQuery(chunk))
                chunk = [:]
            }
        }
        if !chunk.isEmpty { queries.append(ServerKeyQuery(chunk)) }
        return queries
    }
}
