import Homeserver
import Matrix

extension Configuration {
    /// What the section `support` says, as `/.well-known/matrix/support` has it; empty without a contact.
    ///
    /// [Server administrators' contacts](https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport)
    static func support(_ node: ConfigurationNode) -> JSONObject {
        var support: JSONObject = [:]
        let contacts = node.mappings("contacts").map { contact(of: $0) }
        if !contacts.isEmpty { support["contacts"] = .array(contacts) }
        if let page = node.string("support_page") {
            if !page.hasPrefix("https://"), !page.hasPrefix("http://") {
                node.refuse("support_page", "must begin with https:// or http://")
            }
            support["support_page"] = .string(page)
        }
        node.finish()
        return support
    }

    private static func contact(of node: ConfigurationNode) -> JSONValue {
        var contact: JSONValue = ["role": .string(node.requiredString("role"))]
        let user = node.string("matrix_id")
        let address = node.string("email_address")
        if let user {
            if UserID(user) == nil { node.refuse("matrix_id", "is no user ID") }
            contact["matrix_id"] = .string(user)
        }
        if let address {
            if EmailAddress(address) == nil { node.refuse("email_address", "is no mail address") }
            contact["email_address"] = .string(address)
        }
        if user == nil, address == nil { node.refuse("role", "needs a matrix_id or an email_address beside it") }
        node.finish()
        return contact
    }
}
