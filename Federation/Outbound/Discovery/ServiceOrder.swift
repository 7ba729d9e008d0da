import NameLookup

/// The order in which a service's targets are tried.
enum ServiceOrder {
    /// The records by priority, and within a priority at random, by weight.
    ///
    /// [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)
    ///
    /// - Parameter random: A number below the one given, each as likely as any other.
    static func sorted(_ records: [ServiceRecord], random: (Int) -> Int) -> [ServiceRecord] {
        var order: [ServiceRecord] = []
        for (_, group) in Dictionary(grouping: records, by: \.priority).sorted(by: { $0.key < $1.key }) {
            // Those without weight come first, so that they have a chance at all.
            var rest = group.sorted { ($0.weight, $0.host, $0.port) < ($1.weight, $1.host, $1.port) }
            while !rest.isEmpty {
                let sum = rest.reduce(0) { $0 + $1.weight }
                let chosen = random(sum + 1)
                var running = 0
                let index = rest.firstIndex { record in
                    running += record.weight
                    return running >= chosen
                }
                order.append(rest.remove(at: index ?? rest.startIndex))
            }
        }
        return order
    }
}
