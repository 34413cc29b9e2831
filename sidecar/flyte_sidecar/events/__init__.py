"""The event core: events, the operations on them and their rules, for every backend."""
