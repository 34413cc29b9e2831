"""Logins: the headers that authenticate requests, and how they are obtained and renewed.

authorization            headers of a request; what the transport needs of an authenticator
interaction              whether a request may ask a person to log in, and what the person sees
authenticated_transport  adds the headers to calls; renews them when the server rejects them
authenticator            makes the authenticator of a deployment, by its configuration
unattended               headers from a command, the environment or a client secret
oauth_authenticator      logins of people: stored, refreshed, and asked for as a last resort
browser_login            the login in a browser: loopback_listener, browser
device_login             the login by a code on another device
proxied_http             OAuth requests to a deployment behind a proxy with its own tokens
oauth                    requests to the identity provider
discovery                what the deployment announces of it
login_store              the login that the `flyte` command stored, in the stores below
login_locks              locks between the sidecars of a user
password_store           what a login store requires of the places that can store passwords
keyring_package, macos_keychain, notebook_file   these places
daemon_calls             blocking calls that may never return
"""
