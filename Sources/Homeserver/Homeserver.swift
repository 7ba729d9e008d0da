// Homeserver: the services, and the ports through which they reach the outside.
