import Foundation
import Homeserver
import TestSupport
import Testing

@testable import Adapters

@Suite struct DirectoryBlobStoreTests {
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = try makeTemporaryDirectory()
        defer { removeTree(directory) }
        try await body(directory + "/media")
    }

    private func files(in directory: String) -> [String] {
        let all = FileManager.default.subpaths(atPath: directory) ?? []
        return all.filter { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(directory)/\(path)", isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }

    @Test func publishedBytesCanBeReadUntilDeleted() async throws {
        try await withDirectory { directory in
            let store = try DirectoryBlobStore(directory: directory)
            let upload = try await store.begin()
            try await upload.append(Array("hel".utf8))
            try await upload.append(Array("lo".utf8))
            let digest = try await upload.seal()
            #expect(digest.size == 5)
            #expect(digest.sha256.prefix(4) == [0x2C, 0xF2, 0x4D, 0xBA])
            #expect(try await store.source(of: "2cf24dba-x") == nil)
            try await upload.publish(as: "2cf24dba-x")
            await upload.discard()
            #expect(files(in: directory) == ["2c/f2/2cf24dba-x"])
            let again = try DirectoryBlobStore(directory: directory)
            guard case .file(let path) = try await again.source(of: "2cf24dba-x") else { throw FileFailure("find", "") }
            #expect(try Data(contentsOf: URL(filePath: path)) == Data("hello".utf8))
            try await again.delete("2cf24dba-x")
            try await again.delete("2cf24dba-x")
            #expect(files(in: directory).isEmpty)
        }
    }

    @Test func whatIsNotPublishedIsClearedAway() async throws {
        try await withDirectory { directory in
            let store = try DirectoryBlobStore(directory: directory)
            let upload = try await store.begin()
            try await upload.append([1, 2, 3])
            #expect(files(in: directory).count == 1)
            await upload.discard()
            #expect(files(in: directory).isEmpty)
            // Nobody says goodbye here.
            try await (try await store.begin()).append([1, 2, 3])
            #expect(files(in: directory).isEmpty)
        }
    }

    @Test func aCancelledUploadIsClearedAway() async throws {
        try await withDirectory { directory in
            let store = try DirectoryBlobStore(directory: directory)
            let upload = try await store.begin()
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                await upload.discard()
            }
            task.cancel()
            await task.value
            #expect(files(in: directory).isEmpty)
        }
    }

    @Test func theNextStartRemovesWhatACrashLeft() async throws {
        try await withDirectory { directory in
            let store = try DirectoryBlobStore(directory: directory)
            try Data([1]).write(to: URL(filePath: directory + "/incoming/left-over"))
            let upload = try await store.begin()
            _ = try DirectoryBlobStore(directory: directory)
            // What another process is still writing stays.
            #expect(files(in: directory).count == 1)
            try await upload.append([1])
            try await upload.publish(as: "0123456-x")
            #expect(files(in: directory) == ["01/23/0123456-x"])
        }
    }

    @Test(arguments: ["", "abcd", "../../../etc/passwd", "abcd/e", "ab..cde", "abcde\0", "äbcdef"])
    func namesStayInTheDirectory(name: String) async throws {
        try await withDirectory { directory in
            let store = try DirectoryBlobStore(directory: directory)
            await #expect(throws: FileFailure.self) { try await store.source(of: name) }
            await #expect(throws: FileFailure.self) { try await store.delete(name) }
        }
    }
}
