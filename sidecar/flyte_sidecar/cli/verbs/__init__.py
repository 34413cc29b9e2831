"""The verbs: a module each, with `run`, and `add_arguments` if the verb has its own arguments."""
