// Adapters: what implements the ports of Homeserver.
