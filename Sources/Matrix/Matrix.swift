// Matrix: the vocabulary. Identifiers, JSON and canonical JSON, room versions, events, signatures, errors.
// Nothing here reads a clock, a file, a database or the network.
