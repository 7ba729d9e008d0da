import Homeserver
import Web

extension Router {
    /// Serves backups of room keys.
    ///
    /// - Parameters:
    ///   - backups: The backups.
    ///   - environment: What endpoints have in common.
    public func addKeyBackupRoutes(backups: KeyBackupService, in environment: EndpointEnvironment) {
        add(CreateKeyBackup(backups: backups), in: environment)
        add(GetCurrentKeyBackup(backups: backups), in: environment)
        add(GetKeyBackup(backups: backups), in: environment)
        add(UpdateKeyBackup(backups: backups), in: environment)
        add(DeleteKeyBackup(backups: backups), in: environment)
        add(PutRoomKeys(backups: backups), in: environment)
        add(GetRoomKeys(backups: backups), in: environment)
        add(DeleteRoomKeys(backups: backups), in: environment)
        add(PutRoomKeysOfRoom(backups: backups), in: environment)
        add(GetRoomKeysOfRoom(backups: backups), in: environment)
        add(DeleteRoomKeysOfRoom(backups: backups), in: environment)
        add(PutRoomKey(backups: backups), in: environment)
        add(GetRoomKey(backups: backups), in: environment)
        add(DeleteRoomKey(backups: backups), in: environment)
    }
}
