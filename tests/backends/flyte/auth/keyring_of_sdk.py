"""Stores, retrieves or refreshes logins with Flyte's SDK.

Runs in an environment that has the SDK. It reads actions as lines of JSON, and answers each with
the stored login.
"""

import asyncio
import json
import sys

from flyte._utils import sanitize_endpoint
from flyte.remote._client.auth._authenticators.pkce import PKCEAuthenticator
from flyte.remote._client.auth._client_config import ClientConfig, StaticClientConfigStore
from flyte.remote._client.auth._keyring import Credentials, KeyringStore
from flyte.remote._client.auth._session import normalize_rpc_endpoint


def refresh(url, issuer, client_id):
    config = ClientConfig(
        token_endpoint=f"{issuer}/token",
        authorization_endpoint=f"{issuer}/no-person-is-here",
        redirect_uri="http://localhost:53593/callback",
        client_id=client_id,
    )
    authenticator = PKCEAuthenticator(endpoint=url, cfg_store=StaticClientConfigStore(config))
    asyncio.run(authenticator.refresh_credentials())


def act(action, endpoint, *arguments):
    url = normalize_rpc_endpoint(sanitize_endpoint(endpoint))  # as for its sessions
    if action == "store":
        access, refresh_token = arguments
        KeyringStore.store(
            Credentials(for_endpoint=url, access_token=access, refresh_token=refresh_token)
        )
    elif action == "refresh":
        refresh(url, *arguments)
    found = KeyringStore.retrieve(url)
    return found and [found.access_token, found.refresh_token]


for line in sys.stdin:
    sys.stdout.write(json.dumps(act(*json.loads(line))) + "\n")
    sys.stdout.flush()
