import CXML

/// What a CAS server says of a ticket.
enum CASResponse {
    private static let namespace = "http://www.yale.edu/tp/cas"
    /// `serviceResponse`, `authenticationSuccess`, `user`: nothing at any other depth can be the user.
    private static let path = ["serviceResponse", "authenticationSuccess", "user"]

    /// The user of a successful validation; `nil` for a failure, and for what is no such response.
    static func user(in bytes: [UInt8]) -> String? {
        // No network, no entities of the document's own making, no messages on standard error.
        let options = Int32(
            XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
                | XML_PARSE_NOCDATA.rawValue)
        let user = bytes.withUnsafeBytes { buffer -> String? in
            let start = buffer.bindMemory(to: CChar.self).baseAddress
            guard let reader = xmlReaderForMemory(start, Int32(clamping: buffer.count), nil, nil, options) else {
                return nil
            }
            defer { xmlFreeTextReader(reader) }
            return read(reader)
        }
        let trimmed = user.map { Array($0.utf8.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()) }
        return trimmed.flatMap { $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self) }
    }

    private static func read(_ reader: xmlTextReaderPtr) -> String? {
        var open: [String] = []
        var users: [String] = []
        var status = xmlTextReaderRead(reader)
        while status == 1 {
            switch xmlReaderTypes(UInt32(bitPattern: xmlTextReaderNodeType(reader))) {
            case XML_READER_TYPE_ELEMENT:
                let isEmpty = xmlTextReaderIsEmptyElement(reader) == 1
                let name = text(xmlTextReaderConstLocalName(reader))
                let isCAS = text(xmlTextReaderConstNamespaceUri(reader)) == namespace
                open.append(isCAS ? name : "\(name) of another vocabulary")
                if open == path { users.append("") }
                if isEmpty { open.removeLast() }
            case XML_READER_TYPE_END_ELEMENT: open.removeLast()
            case XML_READER_TYPE_TEXT, XML_READER_TYPE_CDATA, XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
                if open == path, !users.isEmpty { users[users.count - 1] += text(xmlTextReaderConstValue(reader)) }
            case XML_READER_TYPE_DOCUMENT_TYPE, XML_READER_TYPE_ENTITY_REFERENCE: return nil
            default: break
            }
            status = xmlTextReaderRead(reader)
        }
        // Anything but the end, and one user, is not what was asked for.
        return status == 0 && users.count == 1 ? users[0] : nil
    }

    private static func text(_ characters: UnsafePointer<xmlChar>?) -> String {
        characters.map { String(cString: $0) } ?? ""
    }
}
