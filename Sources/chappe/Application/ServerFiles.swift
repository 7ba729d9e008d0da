import Database
import Foundation
import Homeserver
import Matrix

/// The files that a server needs beside its configuration.
enum ServerFiles {
    /// What is wrong with the files that the configuration names.
    static func problems(of configuration: Configuration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ key: String, _ path: String) {
            if !FileManager.default.isReadableFile(atPath: configuration.path(path)) {
                problems.append(.init(line: nil, key: key, message: "\(configuration.path(path)) cannot be read"))
            }
        }
        check("signing_key", configuration.signingKey)
        for (index, listener) in configuration.listeners.enumerated() {
            guard let tls = listener.tls else { continue }
            check("listeners[\(index)].tls.certificate", tls.certificate)
            check("listeners[\(index)].tls.key", tls.key)
        }
        if let authority = configuration.federation.trustedCA { check("federation.trusted_ca", authority) }
        if let authority = configuration.mail?.trustedCA { check("mail.smtp.trusted_ca", authority) }
        if let file = configuration.mail?.passwordFile { check("mail.smtp.password_file", file) }
        if case .file(let file)? = configuration.turn?.secret.text {
            check("calls.turn.\(configuration.turn?.secret.key ?? "")_file", file)
        }
        for (key, file) in configuration.conferences.secretFiles { check(key, file) }
        if case .file(let file)? = configuration.authenticationService?.secret {
            check("matrix_authentication_service.secret_path", file)
        }
        return problems
    }

    /// Where the database is.
    static func database(of configuration: Configuration) throws -> DatabaseLocation {
        do {
            return try DatabaseLocation(parsing: configuration.database, relativeTo: configuration.dataDirectory)
        } catch { throw CommandFailure("database: \(error)") }
    }

    /// The keys that the server signs with, and those that it has given up.
    static func signingKeys(of configuration: Configuration) throws -> SigningKeyFile {
        let path = configuration.path(configuration.signingKey)
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("\(path) cannot be read: `chappe init` makes a signing key")
        }
        guard let keys = SigningKeyFile(parsing: String(decoding: data, as: UTF8.self)) else {
            throw CommandFailure("\(path) holds no signing key, or something that is none")
        }
        return keys
    }

    /// The password with which this server sends mail, if it has one.
    static func mailPassword(of configuration: Configuration) throws -> String? {
        guard let mail = configuration.mail, let file = mail.passwordFile else { return configuration.mail?.password }
        return try secret(.file(file), named: "mail.smtp.password", of: configuration)
    }

    /// A secret text: of a file, the whole but for the end of the line.
    static func secret(
        _ text: Configuration.SecretText, named key: String, of configuration: Configuration
    ) throws -> String {
        switch text {
        case .written(let text): return text
        case .file(let file):
            let path = configuration.path(file)
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure("\(path) cannot be read, which \(key)_file names")
            }
            let secret = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
            guard !secret.isEmpty else { throw CommandFailure("\(path) is empty: it should hold a password") }
            return secret
        }
    }

    /// Reads the key file again.
    ///
    /// - Returns: The key that is active then.
    /// - Throws: `MatrixError` 500 that says why the keys stay as they were.
    static func reload(_ keyring: SigningKeyring, of configuration: Configuration) throws -> SigningKeyID {
        do {
            keyring.replace(by: try signingKeys(of: configuration))
        } catch let failure as CommandFailure {
            throw MatrixError(500, .unknown, failure.message)
        }
        return keyring.signingKey.keyID
    }

    /// Replaces a file that only its owner may read: by the whole of the new text, or not at all.
    static func replaceSecret(_ text: String, at path: String) throws {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let new = "\(resolved).new"
        // What an interrupted attempt has left.
        unlink(new)
        try writeSecret(text, to: new)
        // The file stays whose it was: the command may be run by root.
        if let owner = try? FileManager.default.attributesOfItem(atPath: resolved),
            let user = owner[.ownerAccountID] as? NSNumber, let group = owner[.groupOwnerAccountID] as? NSNumber
        {
            chown(new, user.uint32Value, group.uint32Value)
        }
        guard rename(new, resolved) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(new)
            throw CommandFailure("\(path) cannot be replaced: \(reason)")
        }
        // The new name is on disk only once the directory is.
        let directory = open((resolved as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    /// Writes a file that only its owner may read, and that must not exist yet.
    static func writeSecret(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else {
            throw CommandFailure("\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
    }
}
