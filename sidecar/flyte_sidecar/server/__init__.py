"""A running sidecar: the connection, the handlers of its methods, and a backend."""
