"""Where events are kept: each backend implements `flyte_sidecar.events.backend.EventBackend`."""
