"""Generator of the clients' code and the contract's reference: `python -m clients.generate`.

contract     reads `schemas/`
typescript   types and method stubs for Node
golang       types and method stubs for Go
markdown     the reference, `schemas/README.md`
version      the version of the clients' packages
text         identifiers and line wrapping
"""
