/// A response that waits for something to happen, and keeps no task meanwhile.
///
/// A task that only waits keeps the frames of everything that called it, several KiB for each client. A handler that finds
/// nothing to say returns a parked response; its task ends, and ``resume()`` runs in another one when it is time.
public protocol ParkedResponse: Sendable {
    /// Begins to wait.
    ///
    /// - Parameter wake: To be called once, when it is time to go on, from any thread, also during this call.
    func park(_ wake: @escaping @Sendable () -> Void)
    /// Ends the wait without going on, unless ``resume()`` follows: the client has gone, or the server stops.
    func leave()
    /// Goes on, in a task of its own, which is cancelled when the server stops. May answer with another parked response.
    ///
    /// - Throws: ``MatrixError`` for what clients may be told; anything else becomes a 500 without details.
    func resume() async throws -> HTTPResponse
}
