import Homeserver
import Matrix
import Testing
import Web

@testable import ClientAPI

@Suite struct DownloadTests {
    @Test func bytesComeBackAsTheyWere() async throws {
        try await MediaServer.onEachEngine { server in
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let path = try await server.upload(
                bytes, type: "application/x-thing", query: "?filename=rapport%20%C3%A9.bin")
            let answer = try await server.download(path)
            #expect(answer.status == 200)
            #expect(answer.bytes == bytes)
            #expect(answer.headers["Content-Type"] == "application/x-thing")
            #expect(answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''rapport%20%C3%A9.bin")
            #expect(answer.headers["Content-Security-Policy"]?.hasPrefix("sandbox; default-src 'none';") == true)
            #expect(answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin")
            #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
            #expect(answer.headers["Cache-Control"]?.hasPrefix("private") == true)
            let named = try await server.download(path + "/other%20name.txt")
            #expect(named.bytes == bytes)
            #expect(named.headers["Content-Disposition"] == "attachment; filename=\"other name.txt\"")
        }
    }

    @Test func nothingIsSaidOfWhatWasNotSaid() async throws {
        try await MediaServer.onEachEngine { server in
            let answer = try await server.download(try await server.upload([]))
            #expect(answer.status == 200)
            #expect(answer.bytes.isEmpty)
            #expect(answer.headers["Content-Type"] == "application/octet-stream")
            #expect(answer.headers["Content-Disposition"] == "attachment")
        }
    }

    @Test func downloadsNeedATokenAndAFile() async throws {
        try await MediaServer.onEachEngine { server in
            let path = try await server.upload([1, 2, 3])
            #expect(try await server.ask(.get, "client/v1/media/download/\(path)", as: nil).code == "M_MISSING_TOKEN")
            #expect(try await server.ask(.get, "client/v1/media/config", as: nil).code == "M_MISSING_TOKEN")
            for unknown in [
                "here.example/unknown", "there.example/unknown", "here.example/..%2F..%2Fetc", "here.example/a.b",
                "!/x",
            ] {
                let answer = try await server.download(unknown)
                #expect(answer.status == 404)
                #expect(answer.code == "M_NOT_FOUND")
            }
            let limit = try await server.ask(.get, "client/v1/media/config").json["m.upload.size"]?.int
            #expect(limit == 1 << 20)
        }
    }

    @Test(arguments: ["v3", "r0", "v1"]) func oldClientsAskWithoutAToken(version: String) async throws {
        try await MediaServer.onEachEngine { server in
            let path = try await server.upload([1, 2, 3], type: "text/plain")
            let answer = try await server.ask(.get, "media/\(version)/download/\(path)", as: nil)
            #expect(answer.bytes == [1, 2, 3])
            #expect(answer.headers["Content-Disposition"] == "inline")
            #expect(answer.headers["Cache-Control"]?.hasPrefix("public") == true)
            #expect(try await server.ask(.get, "media/\(version)/config").status == 200)
        }
        try await MediaServer.onEachEngine(servesLegacy: false) { server in
            let path = try await server.upload([1, 2, 3])
            let answer = try await server.ask(.get, "media/\(version)/download/\(path)", as: nil)
            #expect(answer.code == "M_NOT_FOUND")
            let small = try await server.ask(.get, "media/\(version)/thumbnail/\(path)?width=9&height=9", as: nil)
            #expect(small.code == "M_NOT_FOUND")
            #expect(try await server.download(path).bytes == [1, 2, 3])
        }
    }

    @Test func partsAreSent() async throws {
        try await MediaServer.onEachEngine { server in
            let path = try await server.upload(Array(0..<100))
            let part = try await server.download(path, headers: ["Range": "bytes=10-19"])
            #expect(part.status == 206)
            #expect(part.bytes == Array(10..<20))
            #expect(part.headers["Content-Range"] == "bytes 10-19/100")
            let beyond = try await server.download(path, headers: ["Range": "bytes=100-"])
            #expect(beyond.status == 416)
            #expect(beyond.headers["Content-Range"] == "bytes */100")
            let tag = try #require(part.headers["ETag"])
            let known = try await server.download(path, headers: ["If-None-Match": "\"other\", W/\(tag)"])
            #expect(known.status == 304)
            #expect(known.bytes.isEmpty)
            let changed = try await server.download(path, headers: ["Range": "bytes=1-2", "If-Range": "\"other\""])
            #expect(changed.status == 200)
            #expect(changed.bytes.count == 100)
        }
    }

    @Test func whatIsQuarantinedOrDeletedIsGone() async throws {
        try await MediaServer.onEachEngine { server in
            let path = try await server.upload([1, 2, 3])
            let reference = try #require(MediaReference(uri: "mxc://" + path))
            try await server.media.setQuarantined(reference, true)
            #expect(try await server.download(path).code == "M_NOT_FOUND")
            #expect(try await server.thumbnail(path, "width=32&height=32").code == "M_NOT_FOUND")
            try await server.media.setQuarantined(reference, false)
            #expect(try await server.download(path).status == 200)
            let twin = try await server.upload([1, 2, 3], as: "bob")
            #expect(server.fileCount == 1)
            try await server.media.delete(reference)
            try await server.media.sweep()
            #expect(try await server.download(path).code == "M_NOT_FOUND")
            #expect(try await server.download(twin).bytes == [1, 2, 3])
            try await server.media.delete(try #require(MediaReference(uri: "mxc://" + twin)))
            #expect(try await server.media.sweep() == 1)
            #expect(server.fileCount == 0)
            await #expect(throws: MatrixError.self) { try await server.media.delete(reference) }
        }
    }

    @Test func otherServersFilesAreFetchedOnce() async throws {
        let remote = OneRemoteFile()
        try await MediaServer.onEachEngine(remote: remote) { server in
            let before = remote.opened.value
            let unasked = try await server.ask(
                .get, "media/v3/download/there.example/file?allow_remote=false", as: nil)
            #expect(unasked.code == "M_NOT_FOUND")
            for _ in 0..<2 {
                let answer = try await server.download("there.example/file")
                #expect(answer.bytes == Array("from afar".utf8))
                #expect(answer.headers["Content-Type"] == "text/plain")
                #expect(answer.headers["Content-Disposition"] == "inline; filename=\"far.txt\"")
            }
            #expect(remote.opened.value == before + 1)
            #expect(try await server.download("there.example/other").code == "M_NOT_FOUND")
            let large = try await server.download("there.example/large")
            #expect(large.status == 502)
            #expect(large.code == "M_TOO_LARGE")
            #expect(server.fileCount == 1)
        }
    }
}

@Suite struct FileConditionTests {
    @Test(
        arguments: [
            ("bytes=0-0", 0..<1), ("bytes=5-", 5..<10), ("bytes=-3", 7..<10), ("bytes=-99", 0..<10),
            ("bytes=8-99", 8..<10),
            ("Bytes=0-9", 0..<10),
        ] as [(String, Range<Int64>)])
    func partsAreUnderstood(range: String, expected: Range<Int64>) {
        #expect(FileConditions(range: range).part(of: 10, tag: "\"t\"") == .some(expected))
    }

    @Test(arguments: [
        "bytes=2-1", "bytes=0-1,3-4", "bytes=a-b", "bytes=", "bytes=-", "lines=0-1", "bytes=1", "bytes=--1",
    ])
    func whatIsNoPartIsTheWhole(range: String) {
        #expect(FileConditions(range: range).part(of: 10, tag: "\"t\"") == .all)
    }

    @Test(arguments: ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999999999999-"])
    func whatIsNotThereIsRefused(range: String) {
        #expect(FileConditions(range: range).part(of: 10, tag: "\"t\"") == .unsatisfiable)
    }

    @Test func anEmptyFileHasNoParts() {
        #expect(FileConditions(range: "bytes=-1").part(of: 0, tag: "\"t\"") == .unsatisfiable)
        #expect(FileConditions(range: "bytes=0-").part(of: 0, tag: "\"t\"") == .unsatisfiable)
    }
}

@Suite struct ContentDispositionTests {
    @Test(arguments: [
        ("image/png", "a b.png", "inline; filename=\"a b.png\""),
        ("text/html", "x.html", "attachment; filename=\"x.html\""),
        ("Text/Plain; charset=utf-8", "x", "inline; filename=\"x\""),
        ("image/svg+xml", "x", "attachment; filename=\"x\""),
        ("application/pdf", "a\"b\\c", "attachment; filename*=utf-8''a%22b%5Cc"),
        ("application/pdf", "a\r\nSet-Cookie: b", "attachment; filename*=utf-8''a%0D%0ASet-Cookie%3A%20b"),
        ("application/pdf", "100%.pdf", "attachment; filename*=utf-8''100%25.pdf"),
    ])
    func namesAreQuotedOrEncoded(type: String, name: String, expected: String) {
        #expect(ContentDisposition.field(contentType: type, fileName: name) == expected)
    }
}
