"""Following runs for waits and watches."""
