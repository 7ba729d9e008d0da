// AdminAPI: administration endpoints, our own and those compatible with Synapse.
