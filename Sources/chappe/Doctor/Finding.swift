import Matrix

/// What the doctor has to say of one thing.
struct Finding: Sendable {
    /// How it is.
    enum Condition: String, Sendable {
        case fine = "ok"
        /// It works, and should be looked after.
        case warning
        case failed
        /// It was not looked at.
        case skipped
    }

    let name: String
    let condition: Condition
    /// What was found.
    let detail: String
    /// What to do about it.
    let remedy: String?

    static func fine(_ name: String, _ detail: String) -> Finding {
        Finding(name: name, condition: .fine, detail: detail, remedy: nil)
    }

    static func warning(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, condition: .warning, detail: detail, remedy: remedy)
    }

    static func failed(_ name: String, _ detail: String, _ remedy: String) -> Finding {
        Finding(name: name, condition: .failed, detail: detail, remedy: remedy)
    }

    static func skipped(_ name: String, _ detail: String) -> Finding {
        Finding(name: name, condition: .skipped, detail: detail, remedy: nil)
    }

    /// One line for people.
    var line: String {
        let mark =
            switch condition {
            case .fine: "OK  "
            case .warning: "WARN"
            case .failed: "FAIL"
            case .skipped: "-   "
            }
        return "\(mark)  \(name): \(detail)" + (remedy.map { ". \($0)" } ?? "")
    }

    var json: JSONValue {
        var json: JSONValue = [
            "name": .string(name), "condition": .string(condition.rawValue), "detail": .string(detail),
        ]
        if let remedy { json["remedy"] = .string(remedy) }
        return json
    }
}
