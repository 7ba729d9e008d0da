import FederationWire
import Matrix
import Store

/// Something that could go into the next transaction.
struct Candidate: Sendable {
    enum Content: Sendable {
        /// The texts of events that go together: one, or some few.
        case events([[UInt8]])
        /// A receipt: those of a transaction share a message.
        case receipt(OutgoingReceipt)
        /// Messages that go together.
        case messages([EphemeralMessage])
    }

    let position: StreamPosition
    let content: Content
}

/// Everything that could go into the next transaction.
struct Candidates: Sendable {
    /// What comes before or at this has been delivered.
    var after: StreamPosition
    /// What `items` is complete up to.
    var through: StreamPosition
    /// What the journal has for the destination between the two, in order.
    var items: [Candidate] = []
    /// Messages for devices, in order.
    var deviceMessages: [OutgoingDeviceMessageRecord] = []
    /// Whether more messages for devices wait.
    var hasMoreDeviceMessages = false
    /// What is of the moment: sent if there is room, and not again.
    var momentary: [EphemeralMessage] = []
}

/// What a transaction carries, and what its acknowledgement will mean.
struct TransactionDraft: Sendable {
    var pdus: [[UInt8]] = []
    var edus: [EphemeralMessage] = []
    /// What comes before or at this will have been delivered.
    var sentThrough: StreamPosition
    /// The messages for devices in it.
    var deviceMessages: [Int64] = []
    /// Whether more messages for devices wait.
    var hasMoreDeviceMessages = false

    var isEmpty: Bool { pdus.isEmpty && edus.isEmpty }
}

/// Decides what goes into the next transaction. Pure.
///
/// Messages for devices come first, since their receivers need them to read what follows; but they leave some room.
/// The journal's things follow in its order, as many as fit: so the cursor can move to just before the first that did
/// not.
struct TransactionPlanner: Sendable {
    let limits: TransactionLimits

    /// The part of a transaction's messages that those for devices leave to others.
    static let roomForOthers = 20

    func draft(_ candidates: Candidates) -> TransactionDraft {
        var building = Building(limits: limits, sentThrough: candidates.after)
        let hasOthers = candidates.items.contains { if case .events = $0.content { false } else { true } }
        building.addDeviceMessages(
            candidates, limit: hasOthers ? max(1, limits.edus - Self.roomForOthers) : limits.edus
        )
        var index = 0
        while index < candidates.items.count {
            let item = candidates.items[index]
            guard building.add(item) else { break }
            index += 1
        }
        building.draft.sentThrough =
            index < candidates.items.count
            ? StreamPosition(candidates.items[index].position.rawValue - 1) : candidates.through
        building.finish(momentary: candidates.momentary)
        return building.draft
    }

    private struct Building {
        let limits: TransactionLimits
        var draft: TransactionDraft
        var receipts = ReceiptLayers()
        var bytes = 0
        var items = 0

        init(limits: TransactionLimits, sentThrough: StreamPosition) {
            self.limits = limits
            draft = TransactionDraft(sentThrough: sentThrough)
        }

        /// Whether something of that size fits; the first thing always does.
        func fits(_ size: Int) -> Bool {
            items == 0 || (items < limits.items ?? .max && bytes + size <= limits.bytes)
        }

        mutating func addDeviceMessages(_ candidates: Candidates, limit: Int) {
            for message in candidates.deviceMessages {
                guard draft.edus.count < limit, fits(message.content.count) else { break }
                draft.edus.append(EphemeralMessage(type: EDUType.directToDevice, content: message.content))
                draft.deviceMessages.append(message.number)
                count(message.content.count)
            }
            draft.hasMoreDeviceMessages =
                candidates.hasMoreDeviceMessages || draft.deviceMessages.count < candidates.deviceMessages.count
        }

        /// Adds a thing if it fits.
        mutating func add(_ item: Candidate) -> Bool {
            switch item.content {
            case .events(let texts):
                let size = texts.reduce(0) { $0 + $1.count }
                guard draft.pdus.count + texts.count <= limits.pdus, fits(size) else { return false }
                draft.pdus += texts
                count(size)
            case .receipt(let receipt):
                let size = receipt.approximateBytes
                guard draft.edus.count + receipts.count(with: receipt) <= limits.edus, fits(size) else { return false }
                receipts.add(receipt)
                count(size)
            case .messages(let messages):
                let size = messages.reduce(0) { $0 + $1.content.count }
                guard draft.edus.count + receipts.count + messages.count <= limits.edus, fits(size) else {
                    return false
                }
                draft.edus += messages
                count(size)
            }
            return true
        }

        mutating func count(_ size: Int) {
            bytes += size
            items += 1
        }

        mutating func finish(momentary: [EphemeralMessage]) {
            draft.edus += receipts.messages
            guard limits.items == nil else { return }
            draft.edus += momentary.prefix(max(0, limits.edus - draft.edus.count))
        }
    }
}
