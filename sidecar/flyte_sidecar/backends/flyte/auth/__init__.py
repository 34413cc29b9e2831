"""Logins: the headers that authenticate requests, and how they are obtained and renewed.

authorization            headers of a request; what the transport needs of an authenticator
interaction              whether a request may ask a person to log in, and what the person sees
authenticated_transport  adds the headers to calls; renews them when the server rejects them
login_store              the login that the `flyte` command stored, in the stores below
login_locks              locks between the sidecars of a user
password_store           what a login store requires of the places that can store passwords
keyring_package, macos_keychain, notebook_file   these places
daemon_calls             blocking calls that may never return
"""
