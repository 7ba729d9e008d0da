import Crypto
import Matrix

/// How identity servers are asked of an address without telling it.
///
/// [Hashing](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2lookup)
enum IdentityHash {
    /// An address as it is compared.
    static func normalized(_ address: String, medium: String) -> String {
        guard medium.utf8.elementsEqual("email".utf8) else { return address }
        return EmailAddress(address)?.string ?? address
    }

    /// What stands for an address, by an algorithm that the server knows; `nil` if it knows none that is known here.
    static func text(_ address: String, medium: String, pepper: String, algorithms: [String]) -> (
        algorithm: String, text: String
    )? {
        let address = normalized(address, medium: medium)
        if algorithms.contains("sha256") {
            let digest = SHA256.hash(data: Array("\(address) \(medium) \(pepper)".utf8))
            return ("sha256", Base64.encodeURLSafe(Array(digest)))
        }
        return algorithms.contains("none") ? ("none", "\(address) \(medium)") : nil
    }
}
