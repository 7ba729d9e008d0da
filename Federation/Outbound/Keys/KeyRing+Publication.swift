import FederationWire
import Homeserver
import Matrix
import Store

extension KeyRing: KeyPublication {
    /// How many servers one query can make this server ask: whoever asks a notary need not say who they are.
    private static let maximumFetches = 10
    /// How many bytes of documents one answer holds.
    private static let maximumAnswerBytes = 2 << 20

    /// This server's own document, signed.
    public func ownDocument() throws -> [UInt8] { try publication.bytes(now: clock.now) }

    /// Other servers' documents, countersigned. What is at hand is given out for half of its time; then the server is asked, and if it
    /// does not answer, what is at hand is given out nevertheless.
    public func documents(_ wanted: [ServerName: WantedKeys]) async throws -> [[UInt8]] {
        let others = wanted.keys.filter { $0 != serverName }
        var stored = try await storedDocuments(of: others)
        let now = clock.now
        let stale = others.filter { server in
            guard let wish = wanted[server] else { return false }
            return !(stored[server] ?? []).contains { Self.suffices($0, wish, now: now) }
                && schedule.permits(server, for: .notary, now: now)
        }
        let asked = Array(stale.sorted().prefix(Self.maximumFetches))
        if !asked.isEmpty {
            await forEachConcurrently(asked, atOnce: Self.maximumFetches) { server in await self.refresh(server) }
            stored.merge(try await storedDocuments(of: asked)) { $1 }
        }
        var documents: [[UInt8]] = []
        if wanted[serverName] != nil { documents.append(try ownDocument()) }
        var bytes = 0
        let given = stored.sorted { $0.key < $1.key }.flatMap { Self.best($0.value, for: wanted[$0.key]) }
        for record in given {
            guard let document = try? KeyDocument(verifying: JSON(parsing: record.document)), isVouchedFor(document)
            else { continue }
            bytes += record.document.count
            guard bytes <= Self.maximumAnswerBytes else { break }
            documents.append(try NotaryAnswer.countersign(document.json, as: serverName, key: own.signingKey))
        }
        return documents
    }

    private func storedDocuments(of servers: [ServerName]) async throws -> [ServerName: [ServerKeyDocumentRecord]] {
        guard !servers.isEmpty else { return [:] }
        let records = try await store.read { try $0.serverKeys.documents(of: servers) }
        return Dictionary(grouping: records, by: \.server)
    }

    /// Of a server's documents, the last first, those that are given out: for each key that is wanted the last that names it, be it one that
    /// its server names no more; and the last of all if nothing is wanted, or there is no other.
    private static func best(
        _ documents: [ServerKeyDocumentRecord], for wish: WantedKeys?
    ) -> [ServerKeyDocumentRecord] {
        var chosen: [ServerKeyDocumentRecord] = []
        for keyID in (wish?.keyIDs ?? []).sorted() where !chosen.contains(where: { $0.keyIDs.contains(keyID) }) {
            if let document = documents.first(where: { $0.keyIDs.contains(keyID) }) { chosen.append(document) }
        }
        return chosen.isEmpty ? Array(documents.prefix(1)) : chosen
    }

    /// Asks a server for its document. Its keys are not taken over, unless they are known already: strangers must not be able to fill
    /// the table of keys by asking for servers of theirs.
    private func refresh(_ server: ServerName) async {
        let isKnown = (try? await store.read { try !$0.serverKeys.keys(of: [server]).isEmpty }) ?? false
        if isKnown {
            _ = await fetch(server)
            return
        }
        let document = await directDocument(of: server)
        schedule.note(server, isSuccess: document != nil, now: clock.now)
        guard let document else { return }
        let record = document.record(fetchedTS: clock.now)
        do { try await store.write { try $0.serverKeys.keep(record) } } catch {
            logger.warning("a key document is not stored", metadata: ["server": "\(server)", "error": "\(error)"])
        }
    }

    /// A pinned server's document must not say anything that this server does not believe itself.
    private func isVouchedFor(_ document: KeyDocument) -> Bool {
        guard let pinned = policy.pinned[document.serverName] else { return true }
        return document.verifyKeys.allSatisfy { pinned[$0.key] == $0.value }
    }

    private static func suffices(_ record: ServerKeyDocumentRecord, _ wish: WantedKeys, now: Int64) -> Bool {
        record.validUntilTS >= wish.validUntilTS
            && now - record.fetchedTS < (record.validUntilTS - record.fetchedTS) / 2
            && wish.keyIDs.isSubset(of: record.keyIDs)
    }
}
