"""Reads the configs of cases with Flyte's SDK. Runs in an environment that has the SDK."""

import json
import os
import sys
from unittest import mock

import flyte._initialize as initialize
import flyte.config
from flyte._utils import sanitize_endpoint
from flyte.cli._common import CLIConfig
from flyte.config._reader import get_config_file
from flyte.remote._client.controlplane import Console


def read(case):
    os.environ.clear()
    os.environ.update(case["env"])
    os.chdir(case["folder"])
    get_config_file.cache_clear()
    client = {}

    async def record(**arguments):
        client.update(arguments)

    with mock.patch.object(initialize, "_initialize_client", record):
        if case["entry"] == "cli":
            CLIConfig(flyte.config.auto(), None, endpoint=case["endpoint"], insecure=None).init()
        else:
            getattr(initialize, case["entry"])()
    session = initialize._init_config
    if client.get("api_key"):
        from flyte.remote._client.auth._auth_utils import decode_api_key

        endpoint, identity, secret, _ = decode_api_key(client["api_key"])
        client.update(endpoint=sanitize_endpoint(endpoint), auth_type="ClientSecret")
        client.update(client_id=identity, client_credentials_secret=secret)
    return {
        "endpoint": (client.get("endpoint") or "").removeprefix("dns:///") or None,
        "insecure": bool(client.get("insecure")),
        "insecure_skip_verify": bool(client.get("insecure_skip_verify")),
        "ca_cert_file": client.get("ca_cert_file_path"),
        "auth_type": client.get("auth_type", "Pkce"),
        "command": client.get("command"),
        "proxy_command": client.get("proxy_command"),
        "client_id": client.get("client_id"),
        "client_secret": client.get("client_credentials_secret"),
        "scopes": client.get("scopes") or [],
        "http_proxy": client.get("http_proxy_url"),
        "disable_keyring": bool(client.get("disable_keyring"))
        and case["entry"] != "init_in_cluster",
        "org": session.org,
        "project": session.project,
        "domain": session.domain,
        "console": flyte.config.auto().platform.console_endpoint,
    }


def main():
    request, results = json.load(sys.stdin), []
    for case in request["cases"]:
        try:
            results.append(read(case))
        except Exception as error:
            results.append(f"error: {error!r}")
    links = [
        Console(sanitize_endpoint(endpoint), insecure).action_url("p", "d", "r1", "a/1")
        for endpoint, insecure, _ in request["links"]
    ]
    sys.stdout.write("\n" + json.dumps({"cases": results, "links": links}) + "\n")


main()
