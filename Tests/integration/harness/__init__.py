"""What the integration tests stand on: real server processes, HTTP clients, and the specification's schemas."""
