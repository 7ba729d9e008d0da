import Matrix

/// `m.room.power_levels`: [rule 10](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum PowerLevelsRule {
    static func check(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        let new = PowerLevelContent(subject.event)
        if let flaw = new.flaw { throw .malformedPowerLevels(flaw) }
        for creator in subject.creation.privilegedCreators where new.users[ExactString(creator.string)] != nil {
            throw .powerLevelOfCreator(creator)
        }
        guard let current = subject.powerLevels.content else { return }
        let change = PowerLevelChange(
            current: current, new: new, sender: ExactString(subject.event.sender.string), has: subject.senderLevel
        )
        try change.checkProperties()
        try change.checkEntries(of: "events", current.events, new.events)
        if subject.event.version.limitNotificationsPowerLevels {
            try change.checkEntries(of: "notifications", current.notifications, new.notifications)
        }
        try change.checkUsers()
    }
}

/// A change of power levels: nobody gives or takes what they do not have themselves.
private struct PowerLevelChange {
    let current: PowerLevelContent
    let new: PowerLevelContent
    let sender: ExactString
    let has: PowerLevel

    func checkProperties() throws(AuthRejection) {
        for property in PowerLevelContent.Property.allCases where current[property] != new[property] {
            if let level = current[property], .level(level) > has {
                throw .powerLevelPropertyAbove(property.rawValue, current: level, has: has)
            }
            if let level = new[property], .level(level) > has {
                throw .powerLevelPropertyRaisedAbove(property.rawValue, new: level, has: has)
            }
        }
    }

    func checkEntries(
        of property: String, _ current: [ExactString: Int64], _ new: [ExactString: Int64]
    ) throws(AuthRejection) {
        for (key, level) in current where new[key] != level && .level(level) > has {
            throw .powerLevelEntryAbove(property, key: key.string, current: level, has: has)
        }
        for (key, level) in new where current[key] != level && .level(level) > has {
            throw .powerLevelEntryRaisedAbove(property, key: key.string, new: level, has: has)
        }
    }

    func checkUsers() throws(AuthRejection) {
        for (user, level) in current.users where new.users[user] != level && user != sender && .level(level) >= has {
            throw .powerLevelOfPeer(user.string, current: level, has: has)
        }
        for (user, level) in new.users where current.users[user] != level && .level(level) > has {
            throw .powerLevelGrantedAbove(user.string, new: level, has: has)
        }
    }
}
