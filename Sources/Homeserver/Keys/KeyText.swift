import Matrix
import Store

/// Keys as texts: what was uploaded, and what others see of it.
enum KeyText {
    /// A key that was checked before it was stored.
    static func parse(_ text: [UInt8]) throws -> JSON {
        do { return try JSON(parsing: text, options: .stored) } catch {
            throw StoreError.inconsistent("a stored key is no JSON: \(error)")
        }
    }

    /// Whether a value is that string, byte for byte.
    static func isString(_ json: JSON?, _ text: String) -> Bool {
        json?.string.map { $0.utf8.elementsEqual(text.utf8) } ?? false
    }

    /// Whether two keys are the same apart from the order of their members.
    static func isSame(_ left: JSON, _ right: JSON) -> Bool {
        left.bytes == right.bytes || CanonicalJSON.text(of: left) == CanonicalJSON.text(of: right)
    }

    /// Whether two keys are the same in what signatures cover.
    static func isSameSigned(_ left: JSON, _ right: JSON) -> Bool {
        JSONSigning.signedText(of: left) == JSONSigning.signedText(of: right)
    }

    /// A key with more signatures, and with an `unsigned` of ours instead of its own. Everything else stays as uploaded.
    static func text(of key: JSON, adding added: [KeySignatureRecord], unsigned: JSONValue? = nil) -> [UInt8] {
        var writer = JSONWriter(capacity: key.bytes.count + 160 * added.count + 64)
        writer.beginObject()
        for (name, value) in key.members where name != "signatures" && !(name == "unsigned" && unsigned != nil) {
            writer.key(name)
            writer.write(value)
        }
        if added.isEmpty {
            writer.member("signatures", key["signatures"])
        } else {
            writer.member("signatures", merged(key["signatures"], added))
        }
        writer.member("unsigned", unsigned)
        writer.endObject()
        return writer.bytes
    }

    private static func merged(_ signatures: JSON?, _ added: [KeySignatureRecord]) -> JSONValue {
        var merged = signatures?.value ?? [:]
        for record in added {
            var own = merged[record.signer.string] ?? [:]
            own[record.keyID.string] = .string(record.signature)
            merged[record.signer.string] = own
        }
        return merged
    }
}
