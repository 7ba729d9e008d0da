import Matrix
import Store
import TestSupport
import Testing

@Suite struct MediaTests {
    private static let server = ServerName(trusted: "here.example")
    private static let description = MediaDescription(contentType: "image/png", uploadName: "é.png")
    private static let key = ThumbnailKey(width: 32, height: 32, method: .crop, isAnimated: false)

    private func onEachEngine(_ body: (Store, UserNumber) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            let user = try await store.intern(try #require(UserID("@alice:here.example")))
            try await body(store, user)
        }
    }

    private func reference(_ id: String) -> MediaReference {
        MediaReference(server: Self.server, id: MediaID(trusted: id))
    }

    private func digest(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    /// Adds a file as the service does.
    private func add(_ id: String, _ byte: UInt8, name: String, to store: Store, by user: UserNumber) async throws {
        let reference = self.reference(id)
        let sha256 = digest(byte)
        try await store.write { writer in
            try writer.blobs.announce(name, due: 1000)
            #expect(try writer.blobs.adopt(BlobRecord(sha256: sha256, name: name, size: 5)))
            #expect(try writer.media.insert(reference, uploader: user, Self.description, sha256: sha256, now: 7))
        }
    }

    @Test func whatIsStoredIsFound() async throws {
        try await onEachEngine { store, user in
            try await add("one", 1, name: "name-1", to: store, by: user)
            let reference = self.reference("one")
            let found = try await store.read { try $0.media.media(reference) }
            let media = try #require(found)
            #expect(media.uploader == user)
            #expect(media.contentType == "image/png")
            #expect(media.uploadName == "é.png")
            #expect(media.created == 7)
            #expect(!media.isQuarantined)
            #expect(media.content == .stored(BlobRecord(sha256: digest(1), name: "name-1", size: 5)))
            let other = MediaReference(server: ServerName(trusted: "there.example"), id: MediaID(trusted: "one"))
            #expect(try await store.read { try $0.media.media(other) } == nil)
            let sha256 = digest(1)
            let isTaken = try await store.write { writer in
                try !writer.media.insert(reference, uploader: user, Self.description, sha256: sha256, now: 8)
            }
            #expect(isTaken)
        }
    }

    @Test func theSameBytesAreKeptOnceAndGoWithTheLastReference() async throws {
        try await onEachEngine { store, user in
            let sha256 = digest(1)
            try await add("one", 1, name: "name-1", to: store, by: user)
            try await add("two", 1, name: "name-2", to: store, by: user)
            #expect(try await store.read { try $0.blobs.blob(sha256: sha256)?.name } == "name-1")
            #expect(try await store.read { try $0.blobs.references(sha256: sha256) } == 2)
            // The second copy is of no use.
            #expect(try await store.read { try $0.blobs.dueOrphans(now: 0, limit: 9) } == ["name-2"])
            for id in ["one", "two"] {
                let reference = self.reference(id)
                #expect(try await store.write { try $0.media.delete(reference) })
                #expect(try await store.write { try !$0.media.delete(reference) })
            }
            #expect(try await store.read { try $0.blobs.blob(sha256: sha256) } == nil)
            #expect(try await store.write { try $0.blobs.condemn(now: 0, limit: 9) } == ["name-1", "name-2"])
            try await store.write { try $0.blobs.forgetOrphans(["name-1", "name-2"]) }
            #expect(try await store.read { try $0.blobs.dueOrphans(now: .max, limit: 9) }.isEmpty)
        }
    }

    @Test func whatIsCondemnedIsNotAdopted() async throws {
        try await onEachEngine { store, _ in
            let blob = BlobRecord(sha256: digest(1), name: "late", size: 5)
            try await store.write { try $0.blobs.announce("late", due: 1000) }
            #expect(try await store.write { try $0.blobs.condemn(now: 999, limit: 9) }.isEmpty)
            #expect(try await store.write { try $0.blobs.condemn(now: 1000, limit: 9) } == ["late"])
            #expect(try await store.write { try $0.blobs.adopt(blob) } == false)
            // A crash before the file is deleted: it is condemned still.
            #expect(try await store.write { try $0.blobs.condemn(now: 0, limit: 9) } == ["late"])
        }
    }

    @Test func placesAreFilledOnceOrExpire() async throws {
        try await onEachEngine { store, user in
            let (first, second) = (self.reference("first"), self.reference("second"))
            try await store.write { writer in
                try writer.media.reserve(first, for: user, now: 10, expires: 100)
                try writer.media.reserve(second, for: user, now: 20, expires: 200)
            }
            let awaited = try await store.read { reader in
                let awaited = try reader.media.awaited(of: user, now: 99)
                return [awaited.count, awaited.firstExpiry ?? -1]
            }
            #expect(awaited == [2, 100])
            let found = try await store.read { try $0.media.media(first) }
            let place = try #require(found)
            #expect(place.content == .awaited(until: 100))
            let sha256 = digest(1)
            let isFilled = try await store.write { writer in
                try writer.blobs.announce("name", due: 1000)
                _ = try writer.blobs.adopt(BlobRecord(sha256: sha256, name: "name", size: 5))
                return try writer.media.fill(place.number, Self.description, sha256: sha256, now: 30)
            }
            #expect(isFilled)
            #expect(
                try await store.write { try !$0.media.fill(place.number, Self.description, sha256: sha256, now: 40) })
            #expect(try await store.read { try $0.media.media(first)?.created } == 30)
            #expect(try await store.write { try $0.media.deleteExpired(now: 199) } == 0)
            #expect(try await store.write { try $0.media.deleteExpired(now: 200) } == 1)
            #expect(try await store.read { try $0.media.media(second) } == nil)
        }
    }

    @Test func thumbnailsGoWithTheirFile() async throws {
        try await onEachEngine { store, user in
            try await add("one", 1, name: "name-1", to: store, by: user)
            let reference = self.reference("one")
            let (original, thumbnail) = (digest(1), digest(2))
            let added = try await store.read { try $0.media.media(reference) }
            let media = try #require(added)
            let isNew = try await store.write { writer in
                try writer.blobs.announce("name-2", due: 1000)
                _ = try writer.blobs.adopt(BlobRecord(sha256: thumbnail, name: "name-2", size: 3))
                let isNew = try writer.media.insertThumbnail(
                    of: media.number, Self.key, contentType: "image/jpeg", sha256: thumbnail)
                // A picture that is small is its own thumbnail.
                var other = Self.key
                other.width = 96
                #expect(try writer.blobs.retain(sha256: original))
                #expect(
                    try writer.media.insertThumbnail(
                        of: media.number, other, contentType: "image/png", sha256: original))
                return isNew
            }
            #expect(isNew)
            let again = try await store.write {
                try $0.media.insertThumbnail(of: media.number, Self.key, contentType: "image/png", sha256: original)
            }
            #expect(!again)
            let found = try await store.read { try $0.media.thumbnail(of: media.number, Self.key) }
            #expect(
                found
                    == ThumbnailRecord(
                        contentType: "image/jpeg", blob: BlobRecord(sha256: thumbnail, name: "name-2", size: 3)))
            #expect(try await store.write { try $0.media.delete(reference) })
            #expect(try await store.read { try $0.blobs.dueOrphans(now: 0, limit: 9) } == ["name-1", "name-2"])
            let late = try await store.write {
                try $0.media.insertThumbnail(of: media.number, Self.key, contentType: "image/png", sha256: original)
            }
            #expect(!late)
        }
    }

    @Test func filesAreQuarantined() async throws {
        try await onEachEngine { store, user in
            try await add("one", 1, name: "name-1", to: store, by: user)
            let (one, two) = (self.reference("one"), self.reference("two"))
            #expect(try await store.write { try $0.media.setQuarantined(one, true) })
            #expect(try await store.read { try $0.media.media(one)?.isQuarantined } == true)
            #expect(try await store.write { try !$0.media.setQuarantined(two, true) })
        }
    }
}
