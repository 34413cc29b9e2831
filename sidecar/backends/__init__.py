"""Where events are kept: each backend implements `sidecar.events.backend.EventBackend`."""
