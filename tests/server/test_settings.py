"""The options as command-line arguments."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.backends.flyte import FlyteBackend, endpoint
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.merged import MergedBackend
from flyte_sidecar.cli.arguments.parser import parse
from flyte_sidecar.cli.terminal_login_prompt import TerminalLoginPrompt
from flyte_sidecar.events.model import ANY_SCOPE, Scope
from flyte_sidecar.lsp.settings import Settings
from flyte_sidecar.server import settings
from flyte_sidecar.server.backends import Backends
from flyte_sidecar.server.client_prompt import ClientPrompt
from flyte_sidecar.server.settings import Options, backend_arguments, make_backend

words = st.none() | st.sampled_from(["a", "b c", "ü", "-x", ""])
flags = st.sampled_from([None, True, False])


@given(
    st.builds(
        Options,
        backend=st.just("flyte"),
        store=st.just(""),
        endpoint=st.sampled_from(["h.example", "h:1"]),
        insecure=flags,
        insecure_skip_verify=flags,
        transport=st.sampled_from([None, "auto", "grpc", "connect"]),
        org=words,
        project=words,
        domain=words,
    )
)
def test_the_arguments_of_options_are_parsed_as_the_same_options(options: Options) -> None:
    assert parse(backend_arguments(options))[1] == options
    both = replace(options, backend="all", store="/tmp/events.db")
    assert parse(backend_arguments(both))[1] == both


async def test_both_backends_have_the_options_of_their_own(tmp_path: Path) -> None:
    store = str(tmp_path / "events.db")
    options = Options(
        backend="all", store=store, endpoint="h.example", org="o", project="p", domain="d"
    )
    backends = Backends(options, lambda: [], lambda: ClientPrompt(lambda *_: None, lambda _: None))
    merged = backends.service.backend
    assert isinstance(merged, MergedBackend)
    assert (merged.kind, merged.endpoint) == ("all", "h.example:443")
    assert (merged.org, merged.project, merged.domain) == ("o", "p", "d")
    assert merged.local.scope(None, None, None) == Scope(None, "local", "local")
    assert merged.flyte.scope(None, None, None) == Scope("o", "p", "d")
    assert backends.backend_id == f"all:h.example:443 and {store}"
    ids = [backends.backend_id_of(Scope(None, name, name)) for name in ("local", "p")]
    for kind, known in zip(("local", "flyte"), ids, strict=True):
        backends.select({"backend": kind})
        assert backends.backend_id == backends.backend_id_of(ANY_SCOPE) == known
    await asyncio.wait_for(backends.close(), 60)


def test_only_a_person_at_the_terminal_is_waited_for(tmp_path: Path) -> None:
    options = Options(backend="all", store=str(tmp_path / "events.db"), endpoint="h.example")
    prompts: list[TerminalLoginPrompt | ClientPrompt] = [
        TerminalLoginPrompt(),
        ClientPrompt(lambda *_: None, lambda _: None),
    ]
    for prompt, waits in zip(prompts, (True, False), strict=True):
        merged = make_backend(options, lambda prompt=prompt: prompt)  # type: ignore[misc]
        assert isinstance(merged, MergedBackend)
        assert merged._patient_reads._logins is (prompt if waits else None)


async def test_an_editor_that_selects_flyte_uses_the_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text("admin: {endpoint: file.example}\ntask: {project: p}\n")
    monkeypatch.chdir(tmp_path)
    backends = Backends(
        Options(store=str(tmp_path / "events.db")),
        lambda: [],
        lambda: ClientPrompt(lambda *_: None, lambda _: None),
    )
    backends.select({"backend": "flyte"})
    assert backends.service.backend.endpoint == "file.example:443"
    backends.select({"backend": "flyte", "endpoint": "h.example", "insecure": True})
    assert backends.service.backend.endpoint == "h.example:80"
    assert backends.service.backend.project == "p"
    (tmp_path / "config.yaml").write_text("admin: {endpoint: h.example, insecure: maybe}\n")
    with pytest.raises(ValueError, match=r"line 1: `admin\.insecure`"):
        backends.select({"backend": "flyte", "project": "q"})
    assert backends.service.backend.endpoint == "h.example:80"
    await asyncio.wait_for(backends.close(), 60)


async def test_an_editor_can_name_the_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    command = "admin: {endpoint: h.example, authType: ExternalCommand, command: [mint]}\n"
    (tmp_path / "own.yaml").write_text(command)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "config.yaml").write_text(command)
    monkeypatch.chdir(tmp_path / "work")
    backends = Backends(
        Options(store=str(tmp_path / "events.db")),
        lambda: [],
        lambda: ClientPrompt(lambda *_: None, lambda _: None),
    )
    with pytest.raises(ValueError, match="is not accepted in a file that was only found"):
        backends.select({"backend": "flyte"})
    backends.select({"backend": "flyte", "config": "~/own.yaml", "ca_cert_file": "~/ca.pem"})
    backend = backends.service.backend
    assert isinstance(backend, FlyteBackend)
    assert backend.config_file == str(tmp_path / "own.yaml")
    assert backend.deployment.ca_cert_file == str(tmp_path / "ca.pem")
    await asyncio.wait_for(backends.close(), 60)


async def test_the_command_for_a_shell_names_the_config_file_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, the command would find another file, or none."""
    file = tmp_path / ".flyte" / "config.yaml"
    file.parent.mkdir()
    file.write_text("admin: {endpoint: h.example}\n")
    monkeypatch.chdir(tmp_path)
    backends = Backends(
        Options(backend="flyte", store=""),
        lambda: [],
        lambda: ClientPrompt(lambda *_: None, lambda _: None),
    )
    assert backends.shell_command == [
        *("flyte-sidecar", "--backend", "flyte", "--config", str(file)),
    ]
    await asyncio.wait_for(backends.close(), 60)


def test_options_and_editors_can_select_every_transport_of_a_deployment() -> None:
    transports = get_args(endpoint.Transport)
    assert get_args(settings.Transport) == transports
    of_editors, _ = get_args(get_type_hints(Settings)["transport"])
    assert get_args(of_editors) == transports


@pytest.mark.parametrize("verb", ["login", "logout"])
def test_the_verbs_of_logins_require_a_deployment(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parse([verb, "--backend", "all", "--endpoint", "h.example"])[1].backend == "all"
    monkeypatch.setattr("sys.stderr", StringIO())
    with pytest.raises(SystemExit):
        parse([verb, "--backend", "local"])


async def test_an_editor_can_select_the_store_beside_the_deployment_it_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(tmp_path / "default.db"))
    backends = Backends(
        Options(backend="flyte", store="", endpoint="h.example", project="p"),
        lambda: [],
        lambda: ClientPrompt(lambda *_: None, lambda _: None),
    )
    backends.select({"backend": "all"})
    merged = backends.service.backend
    assert isinstance(merged, MergedBackend)
    assert isinstance(merged.local, LocalBackend)
    assert (merged.local.path, merged.project) == (str(tmp_path / "default.db"), "p")
    command = backends.shell_command
    assert command[:3] == ["flyte-sidecar", "--backend", "all"]
    assert str(tmp_path / "default.db") in command
    backends.select({"backend": "local"})
    assert backends.options.store == str(tmp_path / "default.db")
    await asyncio.wait_for(backends.close(), 60)
