"""What the response to `initialize` announces, which is sent before pygls is loaded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.capabilities import (
    COMMANDS,
    NOTIFICATIONS,
    REQUESTS,
    client_features,
    edits_text,
    server_capabilities,
)
from flyte_sidecar.lsp.commands import Commands
from flyte_sidecar.lsp.features import FEATURES
from tests.lsp.editor_client import EDITORS, recorded_capabilities
from tests.lsp.fake_editor import FakeSession

BUILTIN = {types.SET_TRACE, types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS}
"""Notifications that pygls handles itself."""


def announced(capabilities: Any) -> Any:
    return server_capabilities(client_features({"capabilities": capabilities}))


def derived(capabilities: Any) -> Any:
    """Return the capabilities that pygls derives from the registered features."""
    server = LanguageServer("flyte-sidecar", "0")
    for method in FEATURES:
        server.feature(method)(lambda params: None)
    for command in COMMANDS:
        server.command(command)(lambda *arguments: None)
    params = {"processId": None, "rootUri": None, "capabilities": capabilities}
    structured = server.protocol.structure_message(
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    )
    server.protocol.set_writer(Discard(), include_headers=False)
    server.protocol.handle_message(structured)
    found: Any = default_converter().unstructure(server.server_capabilities)
    return found


class Discard:
    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("editor", EDITORS)
def test_the_capabilities_are_those_that_pygls_derives_from_the_features(editor: str) -> None:
    capabilities = recorded_capabilities(editor)
    ours, theirs = announced(capabilities), derived(capabilities)
    providers = {name for name in ours if name.endswith("Provider")}
    assert providers | {"diagnosticProvider"} == {
        name for name in theirs if name.endswith("Provider")
    }
    assert ours.get("positionEncoding", "utf-16") == theirs["positionEncoding"]
    assert ours["textDocumentSync"]["openClose"] == theirs["textDocumentSync"]["openClose"]
    assert ours["textDocumentSync"]["change"] == theirs["textDocumentSync"]["change"]
    assert ours["executeCommandProvider"] == theirs["executeCommandProvider"]


def test_every_method_of_editors_has_a_feature() -> None:
    handled = {*FEATURES, *BUILTIN, types.WORKSPACE_EXECUTE_COMMAND}
    assert {*REQUESTS, *NOTIFICATIONS} == handled


async def test_every_command_is_announced(session: FakeSession) -> None:
    assert {*COMMANDS} == {*Commands(session, Answers(session)).names}


def test_optional_features_are_announced_to_clients_that_support_them() -> None:
    capabilities = {
        "textDocument": {"diagnostic": {}},
        "workspace": {"textDocumentContent": {}},
        "general": {"positionEncodings": ["utf-8", "utf-16"]},
    }
    full, least = announced(capabilities), announced({})
    assert full["diagnosticProvider"]["workspaceDiagnostics"] is False
    assert full["workspace"]["textDocumentContent"] == {"schemes": ["flyte-event"]}
    assert full["positionEncoding"] == "utf-8"
    assert "diagnosticProvider" not in least
    assert "textDocumentContent" not in least["workspace"]
    assert "positionEncoding" not in least


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    "capabilities",
                    "textDocument",
                    "workspace",
                    "general",
                    "positionEncodings",
                    "hover",
                    "codeLens",
                    "refreshSupport",
                    "contentFormat",
                    "window",
                    "diagnostic",
                ]
            ),
            inner,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["capabilities", "x"]), JSON))
def test_params_of_any_shape_have_features(params: dict[str, Any]) -> None:
    assert edits_text(params) in (True, False)
    assert server_capabilities(client_features(params))["hoverProvider"] is True


@pytest.mark.parametrize(
    ("params", "folders"),
    [
        ({"workspaceFolders": [{"uri": "file:///a"}, {"uri": 5}, 5]}, ["file:///a"]),
        ({"workspaceFolders": [], "rootUri": "file:///b"}, ["file:///b"]),
        ({"workspaceFolders": None, "rootUri": None}, []),
        ({"workspaceFolders": 5}, []),
    ],
)
def test_the_folders_of_a_workspace_are_known(params: Any, folders: list[str]) -> None:
    assert client_features(params).folders == folders


@pytest.mark.parametrize(
    ("sent", "trace"),
    [("messages", "messages"), ("verbose", "verbose"), ("loud", "off"), (5, "off")],
)
def test_a_trace_can_be_wanted_from_the_start(sent: Any, trace: str) -> None:
    assert client_features({"trace": sent}).trace == trace


PLUGIN = {
    "events": "shows_events",
    "asking": "asks_itself",
    "logins": "shows_logins",
    "runLocally": "runs_locally",
}


@pytest.mark.parametrize("declared", PLUGIN)
def test_a_plugin_declares_each_thing_that_it_does_itself(declared: str) -> None:
    experimental = {"flyteSidecar": {declared: True}}
    features = client_features({"capabilities": {"experimental": experimental}})
    assert [name for name in PLUGIN.values() if getattr(features, name)] == [PLUGIN[declared]]
