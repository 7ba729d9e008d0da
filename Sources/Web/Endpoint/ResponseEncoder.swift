import Matrix

/// What an endpoint answers.
public protocol ResponseEncodable: Sendable {
    /// Writes the response: usually one JSON value into `encoder.json`.
    func encode(into encoder: inout ResponseEncoder)
}

/// Takes a response.
public struct ResponseEncoder: Sendable {
    /// The status, 200 unless set.
    public var status = 200
    /// Header fields beside the type of content.
    public var headers: HTTPHeaders = [:]
    /// The body, a JSON value.
    public var json = JSONWriter()
    /// A response that replaces all of the above: one that is no JSON, or that is streamed.
    public var replacement: HTTPResponse?

    /// An encoder for a new response.
    public init() {}

    /// What was encoded.
    public var response: HTTPResponse {
        if let replacement { return replacement }
        var response = HTTPResponse.json(status, json.bytes)
        if !headers.isEmpty { headers.forEach { response.headers.add($0, $1) } }
        return response
    }
}

/// `{}`
public struct EmptyResponse: ResponseEncodable {
    /// The empty response.
    public init() {}

    /// Writes `{}`.
    public func encode(into encoder: inout ResponseEncoder) {
        encoder.json.beginObject()
        encoder.json.endObject()
    }
}

extension HTTPResponse: ResponseEncodable {
    /// Answers with this response as it is.
    public func encode(into encoder: inout ResponseEncoder) { encoder.replacement = self }
}

extension JSONValue: ResponseEncodable {
    /// Answers with this value.
    public func encode(into encoder: inout ResponseEncoder) { encoder.json.write(self) }
}

extension JSON: ResponseEncodable {
    /// Answers with this value.
    public func encode(into encoder: inout ResponseEncoder) { encoder.json.write(self) }
}
