"""The text and syntax of one Python file."""
