"""Logins: the headers that authenticate requests, and how they are obtained and renewed.

authorization            headers of a request; what the transport needs of an authenticator
interaction              whether a request may ask a person to log in, and what the person sees
authenticated_transport  adds the headers to calls; renews them when the server rejects them
"""
