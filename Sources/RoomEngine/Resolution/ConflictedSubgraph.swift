import Matrix

/// The [conflicted state subgraph](https://spec.matrix.org/v1.19/rooms/v12/#definitions): what lies between conflicted events in the
/// graph of `auth_events`, ends included.
enum ConflictedSubgraph {
    static func walk<Source>(
        _ conflicted: Set<EventNumber>, _ workspace: ResolutionWorkspace<Source>
    ) -> Set<EventNumber> {
        // Depth first, each event once; whether an event leads to a conflicted one is known when all it lists are done.
        var leads: [EventNumber: Bool] = [:]
        for start in conflicted where leads[start] == nil {
            var path = [Step(start, workspace.authEvents(of: start))]
            leads[start] = true
            while let last = path.indices.last {
                if path[last].next < path[last].authEvents.count {
                    let number = path[last].authEvents[path[last].next]
                    path[last].next += 1
                    if let known = leads[number] {
                        path[last].leads = path[last].leads || known
                    } else {
                        leads[number] = conflicted.contains(number)
                        path.append(Step(number, workspace.authEvents(of: number)))
                    }
                } else {
                    let done = path.removeLast()
                    let answer = done.leads || conflicted.contains(done.number)
                    leads[done.number] = answer
                    if answer, let parent = path.indices.last { path[parent].leads = true }
                }
            }
        }
        return Set(leads.lazy.filter(\.value).map(\.key))
    }

    private struct Step {
        let number: EventNumber
        let authEvents: [EventNumber]
        var next = 0
        var leads = false

        init(_ number: EventNumber, _ authEvents: [EventNumber]) {
            self.number = number
            self.authEvents = authEvents
        }
    }
}
