// ClientAPI: the client-server API, one file an endpoint, a folder a section of the specification.
