import Matrix
import Store
import TestSupport
import Testing

/// Previews of web pages, on both engines.
@Suite struct PreviewTests {
    private static let url = "https://page.example/"

    private func insert(_ text: String, _ fetched: Int64, expires: Int64, into store: Store) async throws {
        try await store.write {
            try $0.previews.insert(Array(text.utf8), of: Self.url, fetched: fetched, expires: expires)
        }
    }

    private func preview(_ store: Store, at time: Int64, now: Int64) async throws -> String? {
        try await store.read { try $0.previews.preview(of: Self.url, at: time, now: now) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func theOneOfItsTimeIsTold() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            #expect(try await preview(store, at: 5, now: 5) == nil)
            try await insert("one", 10, expires: 20, into: store)
            try await insert("two", 30, expires: 40, into: store)
            #expect(try await preview(store, at: 15, now: 15) == "one")
            #expect(try await preview(store, at: 15, now: 100) == "one")
            // Nobody knows what the page was like between the two; the newest is as good as what would be fetched.
            #expect(try await preview(store, at: 25, now: 35) == "two")
            #expect(try await preview(store, at: 25, now: 45) == nil)
            #expect(try await preview(store, at: 5, now: 35) == "two")
            #expect(try await preview(store, at: 45, now: 45) == nil)
        }
    }

    @Test func whatIsOldOrTooMuchGoes() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            for time in 1...10 { try await insert("\(time)", Int64(time), expires: 100, into: store) }
            func sweep(before: Int64, keeping: Int) async throws -> Int {
                try await store.write {
                    try $0.previews.deleteExpired(fetchedBefore: before, keeping: keeping, now: 50, limit: 4)
                }
            }
            #expect(try await sweep(before: 3, keeping: 100) == 2)
            #expect(try await sweep(before: 3, keeping: 100) == 0)
            #expect(try await sweep(before: 0, keeping: 3) == 4)
            #expect(try await sweep(before: 0, keeping: 3) == 1)
            #expect(try await sweep(before: 0, keeping: 3) == 0)
            #expect(try await preview(store, at: 7, now: 200) == nil)
            #expect(try await preview(store, at: 8, now: 200) == "8")
        }
    }

    @Test func picturesAreUsedAgainAndGoWhenNobodyHasForLong() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let reference = MediaReference(server: ServerName(trusted: "here.example"), id: MediaID(trusted: "one"))
            let sha256 = [UInt8](repeating: 1, count: 32)
            try await store.write { writer in
                try writer.blobs.announce("name", due: 1000)
                #expect(try writer.blobs.adopt(BlobRecord(sha256: sha256, name: "name", size: 5)))
                let description = MediaDescription(contentType: "image/png", uploadName: nil)
                #expect(try writer.media.insert(reference, uploader: nil, description, sha256: sha256, now: 7))
                try writer.previews.insert(NewPreviewImage(url: Self.url, goodUntil: 20, keptUntil: 30), reference)
            }
            func use(_ now: Int64) async throws -> PreviewImage? {
                try await store.write { try $0.previews.useImage(of: Self.url, now: now, keptUntil: 40) }
            }
            // Not before it has been looked at, and not for ever.
            #expect(try await use(8) == nil)
            try await store.write { try $0.previews.setSize(of: reference, width: 3, height: 4) }
            let image = PreviewImage(reference: reference, contentType: "image/png", size: 5, width: 3, height: 4)
            #expect(try await use(8) == image)
            #expect(try await use(20) == nil)
            func sweep(_ now: Int64) async throws -> Int {
                try await store.write {
                    try $0.previews.deleteExpired(fetchedBefore: 0, keeping: 10, now: now, limit: 10)
                }
            }
            #expect(try await sweep(39) == 0)
            #expect(try await store.read { try $0.blobs.references(sha256: sha256) } == 1)
            #expect(try await sweep(40) == 1)
            #expect(try await store.read { try $0.media.media(reference) } == nil)
            #expect(try await store.read { try $0.blobs.references(sha256: sha256) } == 0)
        }
    }
}
