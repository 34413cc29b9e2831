"""The event core: what an event is, and what may be done with one."""
