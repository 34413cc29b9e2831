"""The requests of editors, one module per kind."""
