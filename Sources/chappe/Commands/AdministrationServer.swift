import ArgumentParser
import AsyncHTTPClient
import Foundation
import Matrix
import NIOCore
import NIOHTTP1
import Web

/// Which server a command speaks to, and why.
struct ServerOption: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOption
    @Option(help: "The base URL of a server elsewhere, instead of the socket of the one on this machine.")
    var url: String?
    @Option(help: "A file with an administrator's access token, for --url; else CHAPPE_ADMIN_TOKEN is taken.")
    var tokenFile: String?
    @Option(help: "Why you do it, for the audit trail.")
    var reason: String?

    /// The server.
    func server() throws -> AdministrationServer {
        guard let url else {
            return AdministrationServer(way: .socket(AdministrationSocket(try configuration.load())), reason: reason)
        }
        guard url.hasPrefix("https://") || url.hasPrefix("http://") else {
            throw CommandFailure("\(url) is no URL that begins with https:// or http://")
        }
        let token: String?
        if let tokenFile {
            token = try? String(contentsOfFile: tokenFile, encoding: .utf8)
            if token == nil { throw CommandFailure("\(tokenFile) cannot be read") }
        } else {
            token = Terminal.environment["CHAPPE_ADMIN_TOKEN"]
        }
        guard let token = token?.trimmingCharacters(in: .whitespacesAndNewlines), !token.isEmpty else {
            throw CommandFailure("no access token: put one into CHAPPE_ADMIN_TOKEN, or give --token-file")
        }
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        return AdministrationServer(way: .network(base: base, token: token), reason: reason)
    }
}

/// A running server as commands speak to it: over its socket, or from elsewhere with a token.
struct AdministrationServer {
    enum Way {
        case socket(AdministrationSocket)
        case network(base: String, token: String)
    }

    let way: Way
    let reason: String?

    private static let timeout = TimeAmount.seconds(300)
    private static let connectTimeout = TimeAmount.seconds(10)
    private static let maximumAnswerBytes = 64 << 20

    /// Asks for something.
    ///
    /// - Returns: The response's body.
    /// - Throws: ``CommandFailure`` if the server does not run or refuses.
    func request(_ method: String, _ target: String, body: JSONValue? = nil) throws -> JSON {
        switch way {
        case .socket(let socket): try socket.request(method, target, body: body, reason: reason)
        case .network(let base, let token): try request(method, base + target, body, token)
        }
    }

    private func request(_ method: String, _ url: String, _ body: JSONValue?, _ token: String) throws -> JSON {
        var headers = NIOHTTP1.HTTPHeaders([("authorization", "Bearer \(token)"), ("content-type", "application/json")])
        if let reason { headers.add(name: Operator.reasonField, value: Self.segment(reason)) }
        var configuration = HTTPClient.Configuration(timeout: .init(connect: Self.connectTimeout))
        // Whoever waits at a terminal is told at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let response: HTTPClient.Response
        do {
            defer { try? client.syncShutdown() }
            let request = try HTTPClient.Request(
                url: url, method: .init(rawValue: method), headers: headers,
                body: (body?.serialized()).map { .bytes($0) })
            response = try client.execute(request: request, deadline: .now() + Self.timeout).wait()
        } catch {
            throw CommandFailure("the server at \(url) does not answer: \(error)")
        }
        var content = response.body ?? ByteBuffer()
        guard content.readableBytes <= Self.maximumAnswerBytes else { throw CommandFailure("the answer is too long") }
        return try Self.answer(Int(response.status.code), content.readBytes(length: content.readableBytes) ?? [])
    }

    /// A name as a segment of a target.
    static func segment(_ text: String) -> String {
        var allowed = CharacterSet(charactersIn: "-._~")
        allowed.formUnion(CharacterSet(charactersIn: "a"..."z"))
        allowed.formUnion(CharacterSet(charactersIn: "A"..."Z"))
        allowed.formUnion(CharacterSet(charactersIn: "0"..."9"))
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }

    /// What a server has answered.
    ///
    /// - Throws: ``CommandFailure`` with what it says, if it has refused.
    static func answer(_ status: Int, _ body: [UInt8]) throws -> JSON {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw CommandFailure("the server's answer (status \(status)) is no JSON")
        }
        guard status < 300 else {
            throw CommandFailure(json["error"]?.string ?? "the server refused with status \(status)")
        }
        return json
    }
}
