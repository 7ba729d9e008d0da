// RoomEngine: what the specification decides about rooms. Authorization, state resolution, visibility, push rules.
// Pure and synchronous: given what it asks for, it answers with a verdict. No clock, no database, no network.
