import Adapters
import Foundation
import Homeserver

/// What the server leans on: mail and relays.
struct ServiceChecks {
    let configuration: Configuration

    func findings() async -> [Finding] {
        var findings = [await mail()]
        findings += await relays()
        return findings
    }

    private func mail() async -> Finding {
        guard let settings = configuration.mail else { return .skipped("mail", "none is sent") }
        let server = "\(settings.host):\(settings.port)"
        do {
            guard let mailer = try SMTPMailer(configuration, clock: SystemClock(), randomness: SystemRandomness())
            else {
                return .skipped("mail", "none is sent")
            }
            if let reason = await mailer.check() {
                return .failed("mail", "\(server): \(reason)", "Correct mail.smtp, or let this server in there.")
            }
            return .fine("mail", "\(server) would take mail from \(settings.from)")
        } catch {
            return .failed("mail", (error as? CommandFailure)?.message ?? "\(error)", "Correct mail.smtp.")
        }
    }

    private func relays() async -> [Finding] {
        guard let turn = configuration.turn else { return [.skipped("relays", "there are none")] }
        var findings: [Finding] = []
        for uri in turn.uris {
            guard let relay = Relay(uri) else {
                findings.append(.failed("relay \(uri)", "it is no address", "Correct calls.turn.uris."))
                continue
            }
            do {
                try await Probe.stun(
                    host: relay.host, port: relay.port, isDatagram: relay.isDatagram, isTLS: relay.isTLS)
                findings.append(.fine("relay \(uri)", "it answers"))
            } catch {
                findings.append(
                    .failed(
                        "relay \(uri)", "it does not answer: \(Reason.text(error))",
                        "Start it, and open its port in the firewall."))
            }
        }
        return findings
    }
}

/// The address of a relay.
///
/// [RFC 7065](https://www.rfc-editor.org/rfc/rfc7065)
private struct Relay {
    let host: String
    let port: Int
    let isTLS: Bool
    let isDatagram: Bool

    init?(_ uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
        guard let colon = parts.first?.firstIndex(of: ":"), let scheme = parts.first?[..<colon],
            let authority = parts.first?[(parts.first ?? "").index(after: colon)...]
        else { return nil }
        isTLS = scheme == "turns"
        // Over TLS on UDP (DTLS) hardly anybody is to be reached, and this does not try.
        let transport = parts.count == 2 ? parts[1] : ""
        isDatagram = !isTLS && transport != "transport=tcp"
        let standard = isTLS ? 5349 : 3478
        let isLiteral = authority.hasPrefix("[")
        let end = isLiteral ? authority.firstIndex(of: "]") : authority.firstIndex(of: ":")
        host = String(authority[..<(end ?? authority.endIndex)].drop { $0 == "[" })
        let rest = end.map { authority[$0...].drop { $0 == "]" } } ?? ""
        guard rest.hasPrefix(":") else {
            port = standard
            if host.isEmpty { return nil }
            return
        }
        guard let number = Int(rest.dropFirst()), (1...65_535).contains(number), !host.isEmpty else { return nil }
        port = number
    }
}
