import Matrix

/// Writes to a user what they have not read.
struct MailLetter: Sendable {
    /// This server, as people know it.
    let serverName: ServerName
    /// The words, in the user's language.
    let words: Words

    init(serverName: ServerName, language: String) {
        self.serverName = serverName
        words = language.lowercased().hasPrefix("fr") ? .french : .english
    }

    /// The mail.
    ///
    /// - Parameter unsubscribe: Where who reads it says that they want no more of them.
    func mail(to address: EmailAddress, _ digest: MailDigest, unsubscribe: String) -> Mail {
        let rooms = digest.rooms.suffix(MailDigest.maximumRooms).map(\.room)
        let left = digest.rooms.count - rooms.count
        var text = words.greeting(digest.count, "\(serverName)") + "\n"
        var html = "<p>\(Self.escaped(words.greeting(digest.count, "\(serverName)")))</p>\n"
        for room in rooms {
            let name = room.name.map { MailDigest.line($0, atMost: 200) } ?? words.namelessRoom
            text += "\n\(name)\n"
            html += "<h3>\(Self.escaped(name))</h3>\n<ul>\n"
            if room.more > 0 {
                text += "  \(words.more(room.more))\n"
                html += "<li>\(Self.escaped(words.more(room.more)))</li>\n"
            }
            for entry in room.entries {
                let line = words.entry(entry)
                text += "  \(line)\n"
                html += "<li>\(Self.escaped(line))</li>\n"
            }
            html += "</ul>\n"
        }
        if left > 0 {
            text += "\n\(words.moreRooms(left))\n"
            html += "<p>\(Self.escaped(words.moreRooms(left)))</p>\n"
        }
        text += "\n-- \n\(words.unsubscribe)\n\(unsubscribe)\n"
        html +=
            "<p><small><a href=\"\(Self.escaped(unsubscribe))\">\(Self.escaped(words.unsubscribe))</a></small></p>\n"
        return Mail(
            to: address, subject: words.subject(digest.count, "\(serverName)"), text: text,
            html: "<!DOCTYPE html>\n<html lang=\"\(words.language)\"><body>\n\(html)</body></html>\n",
            unsubscribe: unsubscribe)
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// What is written, in one language.
    enum Words: Sendable {
        case english
        case french

        var language: String { self == .french ? "fr" : "en" }

        func subject(_ count: Int, _ server: String) -> String {
            switch self {
            case .english: count == 1 ? "One unread message on \(server)" : "\(count) unread messages on \(server)"
            case .french: count == 1 ? "Un message non lu sur \(server)" : "\(count) messages non lus sur \(server)"
            }
        }

        func greeting(_ count: Int, _ server: String) -> String {
            switch self {
            case .english: "You have not read this on \(server) yet:"
            case .french: "Vous n’avez pas encore lu ceci sur \(server) :"
            }
        }

        var namelessRoom: String {
            switch self {
            case .english: "A room without a name"
            case .french: "Un salon sans nom"
            }
        }

        func more(_ count: Int) -> String {
            switch self {
            case .english: count == 1 ? "one earlier message, and" : "\(count) earlier messages, and"
            case .french: count == 1 ? "un message plus ancien, puis" : "\(count) messages plus anciens, puis"
            }
        }

        func moreRooms(_ count: Int) -> String {
            switch self {
            case .english: count == 1 ? "And something in another room." : "And something in \(count) other rooms."
            case .french: count == 1 ? "Et dans un autre salon." : "Et dans \(count) autres salons."
            }
        }

        func entry(_ entry: MailDigest.Entry) -> String {
            switch (self, entry.what) {
            case (.english, .said(let text)): "\(entry.sender): \(text)"
            case (.french, .said(let text)): "\(entry.sender) : \(text)"
            case (.english, .saidSomething): "\(entry.sender) has sent a message."
            case (.french, .saidSomething): "\(entry.sender) a envoyé un message."
            case (.english, .sentFile(let name)): "\(entry.sender) has sent a file\(name.map { ": \($0)" } ?? ".")"
            case (.french, .sentFile(let name)): "\(entry.sender) a envoyé un fichier\(name.map { " : \($0)" } ?? ".")"
            case (.english, .invited): "\(entry.sender) invites you."
            case (.french, .invited): "\(entry.sender) vous invite."
            case (.english, .other): "\(entry.sender) has done something."
            case (.french, .other): "\(entry.sender) a fait quelque chose."
            }
        }

        var unsubscribe: String {
            switch self {
            case .english: "No more mail about unread messages"
            case .french: "Ne plus recevoir de courriel sur les messages non lus"
            }
        }
    }
}
