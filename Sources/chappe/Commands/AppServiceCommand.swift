import ArgumentParser
import Foundation
import Homeserver
import Matrix

/// `chappe appservice …`
struct AppServiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "appservice", abstract: "See the application services of the running server.",
        subcommands: [List.self, Check.self])

    private static let path = "/_chappe/admin/v1/app_services"

    private static func all(_ server: AdministrationServer) throws -> [JSON] {
        try server.request("GET", path)["app_services"]?.elements.map { $0 } ?? []
    }

    /// `chappe appservice list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the application services, and how much waits for each.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let services = try AppServiceCommand.all(try option.server())
            output.show(services) {
                Terminal.table(
                    ["ID", "URL", "SENDER", "USERS", "WAITING"],
                    services.map { service in
                        [
                            service["id"]?.string ?? "", service["url"]?.string ?? "none",
                            service["sender"]?.string ?? "",
                            (service["users"]?.elements.compactMap { $0["regex"]?.string } ?? [])
                                .joined(separator: " "),
                            String(service["waiting"]?.int ?? 0),
                        ]
                    })
            }
        }
    }

    /// `chappe appservice check`
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check registration files, and whether application services answer.",
            discussion: """
                Without arguments: all files that the configuration names, and all services of the running server. With --file: that \
                file alone, before it is named in the configuration; no server is asked then. Exit status: 0 if all is well, 1 if not.
                """)
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "Only this service, by its id.") var id: String?
        @Option(help: "A registration file.") var file: String?

        func run() throws {
            if let file { return try check(file) }
            if option.url == nil {
                do { _ = try AppServiceRegistrations.load(try option.configuration.load()) } catch let error
                    as ConfigurationError
                { throw CommandFailure(error.description) }
            }
            let server = try option.server()
            let services = try AppServiceCommand.all(server).filter { service in
                guard let id else { return true }
                return service["id"]?.string.map { ExactString($0) == ExactString(id) } ?? false
            }
            if let id, services.isEmpty { throw CommandFailure("there is no application service \(id)") }
            var (results, isWell) = ([JSON](), true)
            for service in services {
                let id = service["id"]?.string ?? ""
                var result: JSONValue = ["id": .string(id)]
                do {
                    let segment = AdministrationServer.segment(id)
                    let answer = try server.request("POST", "\(AppServiceCommand.path)/\(segment)/ping")
                    result["duration_ms"] = answer["duration_ms"]?.value
                } catch let failure as CommandFailure {
                    // Some are told nothing, by their own wish.
                    if service["url"]?.string != nil { isWell = false }
                    result["error"] = .string(failure.message)
                }
                results.append(result.json)
            }
            output.show(results) {
                Terminal.table(
                    ["ID", "", "RESULT"],
                    results.map { result in
                        [
                            result["id"]?.string ?? "", result["error"] == nil ? "ok" : "failed",
                            result["error"]?.string ?? "answered in \(result["duration_ms"]?.int ?? 0) ms",
                        ]
                    })
            }
            if !isWell { throw ExitCode(1) }
        }

        private func check(_ file: String) throws {
            let configuration = try option.configuration.load()
            guard let data = FileManager.default.contents(atPath: file), data.count <= 1 << 20,
                let text = String(data: data, encoding: .utf8)
            else { throw CommandFailure("\(file) cannot be read") }
            do {
                let service = try AppServiceRegistrations.parse(
                    text, file: file, serverName: configuration.serverName)
                output.show(JSONValue.object(["id": .string(service.id), "valid": true]).json) {
                    Terminal.print("\(service.id): the registration is valid.")
                }
            } catch {
                throw CommandFailure(error.description)
            }
        }
    }
}
