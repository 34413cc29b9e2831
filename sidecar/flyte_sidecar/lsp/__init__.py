"""The language server: events next to the code that declares them, on pygls.

Only `capabilities` and `session` are imported before an editor connects. `session` imports the
rest in a thread.
"""
