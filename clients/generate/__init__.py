"""What of clients and documentation is made of `schemas/`: `python -m clients.generate`.

contract     the schemas, read
typescript   types and method stubs for Node
golang       the same for Go
markdown     the reference for people
"""
