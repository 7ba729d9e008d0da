import Adapters
import AsyncHTTPClient
import FederationOutbound
import Foundation
import Homeserver
import Logging
import Matrix
import NIOCore
import NIOSSL
import NameLookup

/// What can be found out by asking as others would.
struct NetworkChecks {
    let configuration: Configuration
    /// Another server, which is to be reached too.
    let peer: ServerName?
    private let client: HTTPClient

    private static let warningDays = 14
    private static let tolerableSeconds: Double = 5

    init(_ configuration: Configuration, peer: ServerName?) throws {
        self.configuration = configuration
        self.peer = peer
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.federation.trustedCA {
            tls.additionalTrustRoots = [.file(configuration.path(file))]
        }
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .follow(max: 5, allowCycles: false),
            timeout: .init(connect: .seconds(10), read: .seconds(10)))
        settings.connectionPool.retryConnectionEstablishment = false
        if let proxy = configuration.outbound.proxy {
            settings.proxy = .server(host: proxy.address.host, port: proxy.address.port)
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    func close() async { try? await client.shutdown() }

    func findings() async -> [Finding] {
        var findings = listenerCertificates()
        findings.append(await names())
        findings.append(await publicAddress())
        findings.append(await clientDelegation())
        findings.append(await serverDelegation())
        findings += await federation()
        findings.append(await clock())
        return findings
    }

    // MARK: Certificates

    private func listenerCertificates() -> [Finding] {
        configuration.listeners.compactMap { listener in
            guard let tls = listener.tls else { return nil }
            let name = "certificate of \(listener.bind):\(listener.port)"
            do {
                let chain = try NIOSSLCertificate.fromPEMFile(configuration.path(tls.certificate))
                let key = try NIOSSLPrivateKey(file: configuration.path(tls.key), format: .pem)
                _ = try NIOSSLContext(
                    configuration: .makeServerConfiguration(
                        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
                guard let first = chain.first else { throw Probe.Failure(description: "it is empty") }
                return Self.judge(first, name)
            } catch {
                return .failed(name, "it cannot be used: \(error)", "Check that the key belongs to the certificate.")
            }
        }
    }

    /// How long a certificate is still good.
    private static func judge(_ certificate: NIOSSLCertificate, _ name: String) -> Finding {
        let end = Date(timeIntervalSince1970: Double(certificate.notValidAfter))
        let days = Int(end.timeIntervalSinceNow / 86_400)
        let text = "good until \(end.formatted(.iso8601.year().month().day()))"
        if end < Date() {
            return .failed(
                name, "it has ended on \(end.formatted(.iso8601.year().month().day()))",
                "Renew it, then: systemctl reload chappe")
        }
        if days < warningDays {
            return .warning(name, "\(text): \(days) days left", "Renew it, then: systemctl reload chappe")
        }
        return .fine(name, text)
    }

    // MARK: Names and addresses

    private func names() async -> Finding {
        var hosts = [configuration.serverName.host]
        if let host = URL(string: configuration.browserURL)?.host, !hosts.contains(host) { hosts.append(host) }
        do {
            let resolver = try AresResolver()
            var found: [String] = []
            for host in hosts where (try? SocketAddress(ipAddress: host, port: 0)) == nil {
                do {
                    let addresses = try await resolver.addresses(of: host).addresses
                    found.append("\(host) is \(addresses.map { "\($0)" }.joined(separator: ", "))")
                } catch {
                    return .failed("names", "\(host) has no address (\(error))", "Publish an A or AAAA record for it.")
                }
            }
            return .fine("names", found.isEmpty ? "none to look up" : found.joined(separator: "; "))
        } catch {
            return .failed("names", "nothing can be looked up: \(error)", "Check /etc/resolv.conf.")
        }
    }

    private func get(_ url: String) async throws -> (status: Int, body: JSON?, date: Date?) {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "user-agent", value: "Chappe/\(Chappe.version) (doctor)")
        let response = try await client.execute(request, timeout: .seconds(15))
        let body = try await response.body.collect(upTo: 1 << 20)
        let format = Date.VerbatimFormatStyle(
            format: """
                \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT
                """,
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        let date = response.headers.first(name: "date").flatMap { try? Date($0, strategy: format.parseStrategy) }
        return (Int(response.status.code), try? JSON(parsing: Array(body.readableBytesView)), date)
    }

    private func publicAddress() async -> Finding {
        let url = configuration.browserURL
        do {
            let answer = try await get("\(url)/_matrix/client/versions")
            guard answer.status == 200, answer.body?["versions"]?.elements.first(where: { _ in true }) != nil else {
                return .failed(
                    "public address", "\(url) answers \(answer.status), and is no Matrix server",
                    "Have the reverse proxy pass /_matrix to the client listener: see Deploy/nginx.conf.")
            }
            guard let parts = URLComponents(string: url), parts.scheme == "https", let host = parts.host else {
                return .warning(
                    "public address", "\(url) answers, without TLS", "Put a reverse proxy with TLS before it.")
            }
            let certificate = try await Probe.certificate(host: host, port: parts.port ?? 443, name: host)
            let judged = Self.judge(certificate, "public address")
            return Finding(
                name: judged.name, condition: judged.condition,
                detail: "\(url) answers; its certificate: \(judged.detail)",
                remedy: judged.remedy)
        } catch {
            return .failed(
                "public address", "\(url) does not answer: \(Reason.text(error))",
                "Check name, firewall, certificate and reverse proxy, or correct public_base_url.")
        }
    }

    private func clientDelegation() async -> Finding {
        let name = "well-known for clients"
        let url = "https://\(configuration.serverName)/.well-known/matrix/client"
        let remedy = "Serve \(url) with {\"m.homeserver\": {\"base_url\": \"\(configuration.browserURL)\"}}."
        do {
            let answer = try await get(url)
            guard answer.status == 200, let base = answer.body?["m.homeserver"]?["base_url"]?.string else {
                return .failed(name, "\(url) answers \(answer.status), without a base_url", remedy)
            }
            let isOurs = base == configuration.browserURL || base == configuration.browserURL + "/"
            return isOurs ? .fine(name, "leads to \(base)") : .failed(name, "leads to \(base)", remedy)
        } catch {
            return .failed(name, "\(url) does not answer: \(Reason.text(error))", remedy)
        }
    }

    private func serverDelegation() async -> Finding {
        let name = "well-known for servers"
        guard configuration.federation.mode != .off else { return .skipped(name, "federation is off") }
        let url = "https://\(configuration.serverName)/.well-known/matrix/server"
        guard configuration.serverName.port == nil else {
            return .fine(name, "not needed: the server's name has a port")
        }
        let expected = configuration.delegatedServer
        do {
            let answer = try await get(url)
            let told = answer.status == 200 ? answer.body?["m.server"]?.string : nil
            switch (expected, told) {
            case (let expected?, let told?) where expected == told: return .fine(name, "leads to \(told)")
            case (let expected?, _):
                return .failed(
                    name, told.map { "leads to \($0)" } ?? "\(url) answers \(answer.status)",
                    "Serve \(url) with {\"m.server\": \"\(expected)\"}.")
            case (nil, let told?): return .fine(name, "leads to \(told)")
            case (nil, nil): return .fine(name, "not there, and not needed")
            }
        } catch {
            guard let expected else { return .fine(name, "not there, and not needed if port 8448 is open") }
            return .failed(
                name, "\(url) does not answer: \(Reason.text(error))",
                "Serve \(url) with {\"m.server\": \"\(expected)\"}.")
        }
    }

    // MARK: Federation

    private func federation() async -> [Finding] {
        guard configuration.federation.mode != .off else { return [.skipped("federation", "it is off")] }
        var findings: [Finding] = []
        for server in [configuration.serverName, peer].compactMap({ $0 }) {
            let isSelf = server == configuration.serverName
            let name = isSelf ? "federation" : "federation with \(server)"
            do {
                let steps = try await probe(server, isSelf: isSelf)
                if let failed = steps.first(where: { !$0.isPassed }) {
                    let text = "\(server) cannot be reached, at the step \"\(failed.name)\": \(failed.detail)"
                    let remedy =
                        isSelf
                        ? "Open the port to the federation listener, or delegate by .well-known; other servers take the same steps."
                        : "Ask its administrators to look, with: chappe doctor --server \(configuration.serverName)"
                    findings.append(.failed(name, text, remedy))
                } else {
                    findings.append(.fine(name, "\(server) is reached at \(steps.first?.detail ?? "")"))
                }
            } catch {
                let text = (error as? CommandFailure)?.message ?? "\(error)"
                findings.append(.failed(name, text, "Correct the configuration."))
            }
        }
        return findings
    }

    /// The steps that other servers take, as far as they are to be judged.
    private func probe(_ server: ServerName, isSelf: Bool) async throws -> [ServerProbeStep] {
        let clock = SystemClock()
        let keys = SigningKeyring(try ServerFiles.signingKeys(of: configuration))
        // A server does not speak to itself: somebody else asks. What needs a signature is then left out.
        guard let stranger = ServerName("doctor.invalid") else { return [] }
        let client = FederationClient(
            identity: FederationClient.Identity(serverName: isSelf ? stranger : configuration.serverName, keys: keys),
            // Whom the configuration lets this server speak to is not asked here: it is about reaching them.
            policy: FederationPolicy(mode: .open), surroundings: try FederationServices.surroundings(configuration),
            health: RecentFailures(clock: clock), clock: clock, randomness: SystemRandomness(),
            logger: Logger(label: "chappe.doctor") { _ in SwiftLogNoOpLogHandler() })
        let steps = await client.probe(server)
        await client.shutDown()
        return Array(steps.prefix(isSelf ? 3 : 4))
    }

    // MARK: Clock

    private func clock() async -> Finding {
        let remedy = "Synchronize it: apt install systemd-timesyncd"
        // This server's own clock would agree with itself.
        let others = [peer].compactMap { $0 } + configuration.federation.notaryServers
        for server in others where server != configuration.serverName {
            guard let answer = try? await get("https://\(server)/.well-known/matrix/server"), let date = answer.date
            else { continue }
            let offset = date.timeIntervalSinceNow
            // The answer has whole seconds, and was on its way for some time.
            guard abs(offset) > Self.tolerableSeconds else { return .fine("clock", "it agrees with that of \(server)") }
            let text =
                "it is \(Int(abs(offset).rounded())) seconds \(offset > 0 ? "behind" : "ahead of") that of \(server)"
            return .failed("clock", text, remedy)
        }
        let marks = [
            "/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/var/run/ntpd.pid", "/run/openntpd.pid",
        ]
        if let mark = marks.first(where: { FileManager.default.fileExists(atPath: $0) }) {
            return .fine("clock", "it is kept by \(mark.contains("timesync") ? "systemd-timesyncd" : "an NTP service")")
        }
        return .warning(
            "clock", "nothing seems to keep it, and there was no other to compare it with",
            "\(remedy), or name another server with --server.")
    }
}
