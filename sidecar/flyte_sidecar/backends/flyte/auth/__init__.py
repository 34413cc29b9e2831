"""Logins: the headers that authenticate requests, and how they are obtained and renewed.

authorization            headers of a request, tokens of a login, what supplies them
authenticated_transport  adds the headers to calls; renews them when the server rejects them
authenticator            makes the authenticator of a deployment, by its configuration
unattended               headers from a command, the environment or a client secret
oauth_authenticator      logins of people: stored, refreshed, and asked for as a last resort
interactive              how a person logs in, in a browser or by a code
failed_login             the login that failed last, so that nobody is asked again and again
proxied                  requests to a deployment behind a proxy with its own tokens
oauth                    requests to the identity provider
discovery                what the deployment announces of it
headers                  checks headers before they are sent
commands                 runs the commands that print tokens or headers
login_store              the login that the `flyte` command stored
stores                   the places where it can be stored
login_locks              locks between the sidecars of a user
shared_task              tasks whose result callers share, or that outlive their callers
"""
