"""Stores or retrieves a login with Flyte's SDK. Runs in an environment that has the SDK."""

import json
import sys

from flyte._utils import sanitize_endpoint
from flyte.remote._client.auth._keyring import Credentials, KeyringStore
from flyte.remote._client.auth._session import normalize_rpc_endpoint


def main(action, endpoint, *tokens):
    url = normalize_rpc_endpoint(sanitize_endpoint(endpoint))  # as for its sessions
    if action == "store":
        access, refresh = tokens
        KeyringStore.store(
            Credentials(for_endpoint=url, access_token=access, refresh_token=refresh)
        )
        found = None
    else:
        found = KeyringStore.retrieve(url)
    sys.stdout.write(json.dumps(found and [found.access_token, found.refresh_token]))


main(*sys.argv[1:])
