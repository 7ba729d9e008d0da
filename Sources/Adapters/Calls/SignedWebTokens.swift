import Homeserver
import JWTKit
import Matrix

/// JSON Web Tokens by [jwt-kit](https://github.com/vapor/jwt-kit), signed with HS256 and nothing else.
public struct SignedWebTokens: WebTokens {
    private static let maximumBytes = 16_384

    /// What makes and reads tokens.
    public init() {}

    /// A token that says so.
    public func sign(_ claims: JSONValue, secret: String) async throws -> String {
        try await keys(secret).sign(Claims(value: claims))
    }

    /// What a token says; `nil` if it is not signed with that secret.
    public func claims(of token: String, secret: String) async -> JSON? {
        guard token.utf8.count <= Self.maximumBytes,
            let claims = try? await keys(secret).verify(token, as: Claims.self)
        else { return nil }
        return claims.value.json
    }

    private func keys(_ secret: String) async -> JWTKeyCollection {
        await JWTKeyCollection().add(hmac: HMACKey(from: Array(secret.utf8)), digestAlgorithm: .sha256)
    }
}

/// Any claims.
private struct Claims: JWTPayload {
    let value: JSONValue

    init(value: JSONValue) { self.value = value }

    init(from decoder: any Decoder) throws { value = try Coded(from: decoder).value }

    func encode(to encoder: any Encoder) throws { try Coded(value: value).encode(to: encoder) }

    /// When a token is good is not the library's to decide: it reads the machine's time by itself.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// A JSON value as the standard library's coders see it.
private struct Coded: Codable {
    let value: JSONValue

    init(value: JSONValue) { self.value = value }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        if let members = try? decoder.container(keyedBy: Key.self) {
            value = .object(
                JSONObject(
                    try members.allKeys.map { ($0.stringValue, try members.decode(Coded.self, forKey: $0).value) }))
            return
        }
        if var elements = try? decoder.unkeyedContainer() {
            var list: [JSONValue] = []
            while !elements.isAtEnd { list.append(try elements.decode(Coded.self).value) }
            value = .array(list)
            return
        }
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            value = .null
        } else if let bool = try? single.decode(Bool.self) {
            value = .bool(bool)
        } else if let integer = try? single.decode(Int64.self) {
            value = .integer(integer)
        } else if let number = try? single.decode(Double.self) {
            // Times may have a fraction; nothing else that is read here is a number.
            value = .integer(Int64(exactly: number.rounded(.down)) ?? 0)
        } else {
            value = .string(try single.decode(String.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch value {
        case .object(let object):
            var container = encoder.container(keyedBy: Key.self)
            for member in object.members {
                try container.encode(Coded(value: member.value), forKey: Key(stringValue: member.name.string))
            }
        case .array(let list):
            var container = encoder.unkeyedContainer()
            for element in list { try container.encode(Coded(value: element)) }
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let bool):
            var container = encoder.singleValueContainer()
            try container.encode(bool)
        case .integer(let integer):
            var container = encoder.singleValueContainer()
            try container.encode(integer)
        case .number(let text), .string(let text):
            var container = encoder.singleValueContainer()
            try container.encode(text.string)
        }
    }
}
