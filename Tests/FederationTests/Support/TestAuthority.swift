import Foundation
import TestSupport

/// A certificate authority of the tests' own, made by openssl when first used. Its files go with the directory for temporary files.
final class TestAuthority: Sendable {
    /// The one of this run.
    static let shared = Result { try TestAuthority() }

    private let directory: String

    /// The authority's certificate.
    var certificatePath: String { "\(directory)/ca.pem" }

    init() throws {
        directory = try makeTemporaryDirectory()
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=Test authority", "-keyout", "\(directory)/ca.key", "-out", certificatePath)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Paths of a certificate chain and its key.
    struct Files: Sendable {
        let certificate: String
        let key: String
    }

    /// A certificate with these alternative names, as openssl writes them: `DNS:a.example`, `IP:127.0.0.1`.
    func issue(_ names: [String]) throws -> Files {
        let base = "\(directory)/\(UInt64.random(in: 0 ... .max))"
        try openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=unused",
            "-keyout", "\(base).key", "-out", "\(base).csr")
        let extensions = names.isEmpty ? "basicConstraints=CA:FALSE" : "subjectAltName=\(names.joined(separator: ","))"
        try Data(extensions.utf8).write(to: URL(fileURLWithPath: "\(base).ext"))
        try openssl(
            "x509", "-req", "-in", "\(base).csr", "-CA", certificatePath, "-CAkey", "\(directory)/ca.key",
            "-set_serial", String(UInt32.random(in: 1 ... .max)), "-days", "2", "-extfile", "\(base).ext", "-out",
            "\(base).pem")
        return Files(certificate: "\(base).pem", key: "\(base).key")
    }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestAuthorityError(arguments: arguments) }
    }
}

struct TestAuthorityError: Error {
    let arguments: [String]
}
