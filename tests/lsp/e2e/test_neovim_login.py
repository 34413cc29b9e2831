"""A login at a Flyte deployment, in Neovim."""

from __future__ import annotations

import json

import pytest
import trustme

from tests.backends.flyte.auth.connection import Rejected
from tests.e2e.deployment import SCOPE
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.lsp.e2e.conftest import StartNeovim
from tests.oidc_provider.person import visit
from tests.oidc_provider.provider import public_client, running

pytestmark = pytest.mark.posix


def test_a_login_is_cancelled_and_another_one_is_finished(
    start_neovim: StartNeovim, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ca = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    certificate = ca.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    tls = (certificate.private_key_pem.bytes(), chain)
    with running(ca, tmp_path_factory) as provider, Server(Model("2.0.43"), tls=tls) as server:
        server.auth.tokens = Rejected()
        server.auth.client = public_client()
        server.auth.metadata = provider.metadata()
        server.model.ask("nightly", "deploy", **SCOPE)
        options = (
            *("--backend", "flyte", "--endpoint", server.endpoint, "--ca-cert-file", str(ca_file)),
            *("--project", SCOPE["project"], "--domain", SCOPE["domain"]),
        )
        command = json.dumps(["flyte-sidecar", "--stdio", *options])
        neovim = start_neovim(
            f"vim.lsp.config('flyte_sidecar', {{ cmd = vim.json.decode('{command}') }})\n"
            "vim.ui.open = function(url) vim.g.opened = url end\n",
            env={"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"},
        )
        announced = f"To log in to {server.endpoint}, open "
        neovim.wait_for(announced)
        neovim.wait_for("(:FlyteEvents login)")
        neovim.command("FlyteEvents login")
        neovim.wait_for("3: Cancel login")
        neovim.type("3\r")
        neovim.wait_for("The login failed: ")
        neovim.command("FlyteEvents login")
        neovim.wait_for(announced)
        neovim.command("FlyteEvents login")
        neovim.wait_for("1: Open in browser")
        neovim.type("1\r")
        neovim.until("vim.g.opened ~= nil")
        status, page = visit(str(ca_file), neovim.lua("vim.g.opened"))
        assert status == 200, page
        neovim.wait_for("You are logged in. (:FlyteEvents)")
        neovim.wait_for("flyte 1")
