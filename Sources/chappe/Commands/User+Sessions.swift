import ArgumentParser
import Matrix

extension User {
    /// `chappe user email …`
    struct Email: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give mail addresses to accounts, or take them.", subcommands: [Add.self, Remove.self])

        /// `chappe user email add`
        struct Add: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Give an address to an account; the user is not asked whether they read its mail.")
            @OptionGroup var option: ServerOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String
            @Argument(help: "The address.") var address: String

            func run() throws {
                _ = try option.server().request(
                    "POST", "\(User.path(name))/emails", body: ["address": .string(address)])
            }
        }

        /// `chappe user email remove`
        struct Remove: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Take an address from an account.")
            @OptionGroup var option: ServerOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String
            @Argument(help: "The address.") var address: String

            func run() throws {
                let segment = AdministrationServer.segment(address)
                _ = try option.server().request("DELETE", "\(User.path(name))/emails/\(segment)")
            }
        }
    }

    /// `chappe user devices`
    struct Devices: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the devices of an account.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws {
            let user = try option.server().request("GET", User.path(name))
            let devices = user["devices"]?.elements.map { $0 } ?? []
            output.show(devices) { User.table(ofDevices: devices) }
        }
    }

    /// `chappe user sessions …`
    struct Sessions: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End sessions of an account.", subcommands: [End.self])

        /// `chappe user sessions end`
        struct End: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "End all sessions of an account, or that of one device. Its devices are removed.")
            @OptionGroup var option: ServerOption
            @OptionGroup var output: OutputOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String
            @Option(help: "Only this device.") var device: String?

            func run() throws {
                let part = device.map { "/\(AdministrationServer.segment($0))" } ?? ""
                let answer = try option.server().request("DELETE", "\(User.path(name))/devices\(part)")
                output.show(answer) { Terminal.print("\(answer["ended"]?.int ?? 0) sessions ended") }
            }
        }
    }

    /// Where an account is found.
    static func path(_ name: String) -> String { "/_chappe/admin/v1/users/\(AdministrationServer.segment(name))" }

    /// Shows devices.
    static func table(ofDevices devices: [JSON]) {
        Terminal.table(
            ["DEVICE", "NAME", "LAST SEEN", "FROM"],
            devices.map { device in
                [
                    device["device_id"]?.string ?? "", device["display_name"]?.string ?? "",
                    Moment.text(device["last_seen_ts"]?.int), device["last_seen_ip"]?.string ?? "",
                ]
            })
    }
}
