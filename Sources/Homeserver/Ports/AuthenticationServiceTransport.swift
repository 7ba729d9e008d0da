/// Asks the service that users sign in at, in this server's place.
public protocol AuthenticationServiceTransport: Sendable {
    /// Makes a request.
    ///
    /// - Parameters:
    ///   - url: What is asked.
    ///   - form: The fields of a form that is posted, encoded; `nil` to get.
    ///   - fields: Fields of the request's head.
    /// - Returns: The answer, whose body is bounded; `nil` if there is none in time.
    func ask(_ url: String, form: [UInt8]?, fields: [(String, String)]) async -> (status: Int, body: [UInt8])?
}
