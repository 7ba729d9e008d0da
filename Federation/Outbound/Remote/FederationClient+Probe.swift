import FederationWire
import Homeserver
import Matrix

extension FederationClient: ServerProbe {
    /// Goes through the steps of reaching a server until one fails: where it is, what it is, its keys, and whether it
    /// believes our signature.
    public func probe(_ server: ServerName) async -> [ServerProbeStep] {
        // Where it was found before is not asked about.
        resolver.forget(server)
        var steps: [ServerProbeStep] = []
        for (name, step) in [
            ("find its address", address), ("ask what it is", software), ("get its keys", keys),
            ("be believed", belief),
        ] as [(String, (ServerName) async throws(RemoteServerFailure) -> String)] {
            do throws(RemoteServerFailure) {
                steps.append(ServerProbeStep(name: name, isPassed: true, detail: try await step(server)))
            } catch {
                steps.append(ServerProbeStep(name: name, isPassed: false, detail: "\(error.status): \(error.message)"))
                return steps
            }
        }
        return steps
    }

    private func address(_ server: ServerName) async throws(RemoteServerFailure) -> String {
        let route = try await resolver.route(to: server)
        let endpoints = route.endpoints.map { endpoint in
            let host = endpoint.peer.host
            return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(endpoint.port)" : "\(host):\(endpoint.port)"
        }
        return "\(endpoints.joined(separator: ", ")) as \(route.hostField)"
    }

    private func software(_ server: ServerName) async throws(RemoteServerFailure) -> String {
        let (name, version) = try await send(VersionRequest(), to: server, evenIfDown: true)
        return "\(name ?? "it does not say") \(version ?? "")"
    }

    private func keys(_ server: ServerName) async throws(RemoteServerFailure) -> String {
        let json = try await send(ServerKeysRequest(), to: server, evenIfDown: true)
        let document: KeyDocument
        do { document = try KeyDocument(verifying: json) } catch {
            throw RemoteServerFailure(status: 502, message: "Its keys cannot be used: \(error)", isAnswer: true)
        }
        guard document.serverName == server else {
            throw RemoteServerFailure(
                status: 502, message: "It gives out the keys of \(document.serverName)", isAnswer: true)
        }
        return document.verifyKeys.keys.sorted().map(\.string).joined(separator: ", ")
    }

    /// Asks for something that only servers may ask, and that need not be there.
    private func belief(_ server: ServerName) async throws(RemoteServerFailure) -> String {
        guard let nobody = UserID("@-:\(server)") else { return "" }
        do {
            _ = try await send(ProfileRequest(of: nobody, field: nil), to: server, evenIfDown: true)
        } catch {
            // It could look up our keys, and found the signature to be right.
            guard error.status == 404, error.code == .notFound else { throw error }
        }
        return "our signature is accepted"
    }
}
