import Database

extension Migration {
    /// What waits for application services, and the rooms that they list.
    static let appServices = Migration(
        number: 19, name: "application services",
        sql: """
            -- Services that are told of what happens: since when, and their last transaction. txn: its number. body: its body, a JSON
            -- text, until the service has taken it. A transaction that was made is never made anew.
            CREATE TABLE app_services (
                id TEXT NOT NULL PRIMARY KEY,
                since INTEGER NOT NULL,
                txn INTEGER NOT NULL,
                body BLOB
            );
            -- What they will be told, in the journal's order. kind: see AppServiceItem; the other columns go by it.
            CREATE TABLE app_service_queue (
                service TEXT NOT NULL REFERENCES app_services (id) ON DELETE CASCADE,
                position INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                room_num INTEGER,
                user_num INTEGER,
                event_num INTEGER,
                detail TEXT,
                PRIMARY KEY (service, position)
            );
            CREATE INDEX app_service_queue_by_user ON app_service_queue (user_num, service) WHERE user_num IS NOT NULL;
            -- Rooms that a service lists as those of a network.
            CREATE TABLE app_service_rooms (
                service TEXT NOT NULL,
                network TEXT NOT NULL,
                room_num INTEGER NOT NULL REFERENCES rooms (num) ON DELETE CASCADE,
                PRIMARY KEY (service, network, room_num)
            );
            CREATE INDEX app_service_rooms_by_room ON app_service_rooms (room_num);
            -- How far the journal has been looked through.
            INSERT INTO counters (name, value) VALUES ('app_services', 0);
            """)
}
