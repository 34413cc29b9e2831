"""Completion in shells.

scripts       of bash, zsh and fish, generated from the parser by `shell_files`
command_line  the words of a line in a shell, and what completes the last one
given         the verb, operands and options of these words
values        the runs and events of the embedded store that complete a word
"""
