import ArgumentParser
import Foundation
import Matrix

/// `chappe user …`
struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, show and change accounts of the running server.",
        subcommands: [
            Create.self, Import.self, List.self, Show.self, Password.self, DisplayName.self, Email.self, Admin.self,
            Lock.self, Unlock.self, Suspend.self, Unsuspend.self, Deactivate.self, Erase.self, Reactivate.self,
            ShadowBan.self, RateLimit.self, Validity.self, Devices.self, Sessions.self, Export.self,
        ]
    )

    /// `chappe user create`
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The localpart of the user ID.") var name: String
        @Flag(help: "Make the account an administrator.") var admin = false
        @Option(help: "The name that others see.") var displayname: String?
        @Flag(help: "Read the password from standard input instead of asking for it.") var passwordStdin = false
        @Flag(help: "Make an account without a password.") var noPassword = false

        func run() throws {
            let server = try option.server()
            var body: JSONValue = ["name": .string(name), "admin": .bool(admin)]
            if let displayname { body["displayname"] = .string(displayname) }
            if !noPassword { body["password"] = .string(try NewPassword.read(fromInput: passwordStdin)) }
            let answer = try server.request("POST", "/_chappe/admin/v1/users", body: body)
            output.show(answer) { Terminal.print(answer["user_id"]?.string ?? "") }
        }
    }

    /// `chappe user list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List accounts.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let users = try Pages.all(try option.server(), "/_chappe/admin/v1/users", "users")
            output.show(users) {
                Terminal.table(
                    ["USER", "NAME", "STATE", "CREATED"],
                    users.map { user in
                        [
                            user["user_id"]?.string ?? "", user["displayname"]?.string ?? "", UserState.text(user),
                            Moment.text(user["created_ts"]?.int),
                        ]
                    }
                )
            }
        }
    }

    /// `chappe user show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show an account, its devices and rooms.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws {
            let user = try option.server()
                .request("GET", "/_chappe/admin/v1/users/\(AdministrationServer.segment(name))")
            output.show(user) {
                Terminal.table(
                    ["USER", user["user_id"]?.string ?? ""],
                    [
                        ["NAME", user["displayname"]?.string ?? ""], ["STATE", UserState.text(user)],
                        ["EMAILS", (user["emails"]?.elements.compactMap(\.string) ?? []).joined(separator: ", ")],
                        ["PASSWORD", user["has_password"]?.bool == true ? "yes" : "none"],
                        ["CREATED", Moment.text(user["created_ts"]?.int)],
                        ["ROOMS", String(user["joined_rooms"]?.count ?? 0)],
                    ]
                )
                Terminal.print("")
                User.table(ofDevices: user["devices"]?.elements.map { $0 } ?? [])
            }
        }
    }

    /// `chappe user password`
    struct Password: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Set an account's password and end its sessions.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Flag(help: "Read the password from standard input instead of asking for it.") var passwordStdin = false

        func run() throws {
            let password = try NewPassword.read(fromInput: passwordStdin)
            try UserChange.send(option, name, ["password": .string(password)])
        }
    }

    /// `chappe user admin`
    struct Admin: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account an administrator, or no longer.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Flag(help: "Take the privilege away.") var revoke = false

        func run() throws { try UserChange.send(option, name, ["admin": .bool(!revoke)]) }
    }

    /// `chappe user lock`
    struct Lock: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lock an account: its sessions stay, but can do nothing.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws { try UserChange.send(option, name, ["locked": true]) }
    }

    /// `chappe user unlock`
    struct Unlock: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Unlock an account.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws { try UserChange.send(option, name, ["locked": false]) }
    }

    /// `chappe user suspend`
    struct Suspend: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Suspend an account: it can read, but not write.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws { try UserChange.send(option, name, ["suspended": true]) }
    }

    /// `chappe user unsuspend`
    struct Unsuspend: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a suspended account write again.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws { try UserChange.send(option, name, ["suspended": false]) }
    }

    /// `chappe user displayname`
    struct DisplayName: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "displayname", abstract: "Set the name that others see of an account.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Argument(help: "The name that others see; empty for none.") var displayname: String

        func run() throws { try UserChange.send(option, name, ["displayname": .string(displayname)]) }
    }

    /// `chappe user deactivate`
    struct Deactivate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End an account: sessions, password and rooms go.",
            discussion: "Its name stays taken; `chappe user reactivate` opens it again, without its rooms.")
        @OptionGroup var option: ServerOption
        @OptionGroup var consent: ConsentOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Flag(help: "Remove the profile, too, and hide what the user has said from those who come later.") var erase =
            false

        func run() throws {
            try consent.ask("This ends all sessions of \(name) and takes the account out of its rooms.", repeat: name)
            try UserChange.send(option, name, ["deactivated": true, "erase": .bool(erase)])
        }
    }

    /// `chappe user erase`
    struct Erase: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End an account and forget its user as far as that is possible.")
        @OptionGroup var option: ServerOption
        @OptionGroup var consent: ConsentOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String

        func run() throws {
            try consent.ask("This ends \(name) and hides what they have said from those who come later.", repeat: name)
            try UserChange.send(option, name, ["deactivated": true, "erase": true])
        }
    }

    /// `chappe user reactivate`
    struct Reactivate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open an account again that was ended.",
            discussion: "The user ID is what it was; rooms, devices and addresses have to be had anew.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Flag(help: "Read the password from standard input instead of asking for it.") var passwordStdin = false
        @Flag(help: "Open it without a password.") var noPassword = false

        func run() throws {
            var body: JSONValue = ["deactivated": false]
            if !noPassword { body["password"] = .string(try NewPassword.read(fromInput: passwordStdin)) }
            try UserChange.send(option, name, body)
        }
    }
}

/// Changes of an account.
enum UserChange {
    static func send(_ option: ServerOption, _ name: String, _ body: JSONValue) throws {
        _ = try option.server()
            .request("POST", "/_chappe/admin/v1/users/\(AdministrationServer.segment(name))", body: body)
    }
}

/// Passwords for accounts, typed or piped.
private enum NewPassword {
    static func read(fromInput: Bool) throws -> String {
        let password = fromInput ? Terminal.readInput() : Terminal.readSecret("Password: ")
        guard let password, !password.isEmpty else { throw CommandFailure("no password was given") }
        if !fromInput, Terminal.readSecret("Again: ") != password { throw CommandFailure("the passwords differ") }
        return password
    }
}

/// What an account is, in a word or two.
private enum UserState {
    static func text(_ user: JSON) -> String {
        let words = ["deactivated", "locked", "suspended", "shadow_banned", "guest", "admin"].filter {
            user[$0]?.bool == true
        }
        return words.isEmpty ? "active" : words.joined(separator: ", ")
    }
}
