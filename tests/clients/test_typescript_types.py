"""The types of the TypeScript client compile in programs with strict settings."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import npm
from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import ROOT, needs, run

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

LOWEST = Path(__file__).parent / "lowest_typescript"
Compile = Callable[..., str]
"""Compile the programs of a folder with the lowest or newest version, and return the errors."""

PROGRAM = """
import { Client, type Event, SidecarError, SpawnError } from "flyte-sidecar";

export async function ask(): Promise<Event | string> {
  try {
    const client = await Client.spawn({ env: { PATH: "/bin" }, cwd: new URL("file:///") });
    client.closed.then(({ signal, error }) => [signal?.length, error?.stderr]);
    return await client.events.get({ runName: "r1", name: "deploy" }) ?? "nothing";
  } catch (error) {
    if (error instanceof SpawnError) return error.message;
    if (error instanceof SidecarError) return error.kind;
    throw error;
  }
}
"""

WITH_NODE = """
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { Client } from "flyte-sidecar";

export async function attach(signal: AbortSignal): Promise<Client> {
  const child = spawn("flyte-sidecar", { stdio: ["pipe", "pipe", "inherit"] });
  await Client.spawn({ env: process.env, stderr: process.stderr, signal });
  await Client.spawn({ stderr: new PassThrough() });
  return await Client.attach({ input: child.stdout, output: child.stdin, signal });
}
"""


@pytest.fixture(scope="session")
def lowest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiler of the lowest supported version of TypeScript."""
    return npm.install(LOWEST, tmp_path_factory) / "typescript" / "bin" / "tsc"


@pytest.fixture
def package(typescript: Path, tmp_path: Path) -> Path:
    """A folder in which only the client is installed, as by npm."""
    installed = tmp_path / "node_modules" / "flyte-sidecar"
    shutil.copytree(typescript / "dist", installed / "dist")
    shutil.copy(typescript / "package.json", installed)
    return tmp_path


@pytest.fixture
def errors_of(lowest: Path, typescript: Path, package: Path) -> Compile:
    compilers = {
        "lowest": lowest,
        "newest": typescript / "node_modules" / "typescript" / "bin" / "tsc",
    }

    def compiled(version: str, **options: object) -> str:
        options = {
            **{"module": "nodenext", "target": "es2020", "strict": True, "types": []},
            **{"exactOptionalPropertyTypes": True, "noUncheckedIndexedAccess": True},
            **{"noEmit": True, **options},
        }
        settings = {"compilerOptions": options, "include": ["*.mts", "*.cts", "*.ts"]}
        (package / "tsconfig.json").write_text(json.dumps(settings))
        return run(needs("node"), compilers[version], "-p", package, env=dict(os.environ)).stdout

    return compiled


VERSIONS = pytest.mark.parametrize("version", ["lowest", "newest"])


@VERSIONS
@pytest.mark.parametrize("target", ["es2020", "esnext"])
def test_the_types_need_no_other_types(
    version: str, target: str, package: Path, errors_of: Compile
) -> None:
    for name in ("module.mts", "common.cts"):
        (package / name).write_text(PROGRAM)
    assert errors_of(version, target=target) == ""


@VERSIONS
def test_a_bundler_finds_the_types(version: str, package: Path, errors_of: Compile) -> None:
    (package / "program.ts").write_text(PROGRAM)
    assert errors_of(version, module="esnext", moduleResolution="bundler") == ""


@pytest.mark.posix
@VERSIONS
def test_the_types_accept_streams_and_options_of_node(
    version: str, typescript: Path, package: Path, errors_of: Compile
) -> None:
    for name in ("@types", "undici-types"):
        modules = typescript / "node_modules"
        (package / "node_modules" / name).symlink_to(modules / name)
    (package / "program.mts").write_text(WITH_NODE)
    # These types of Node need a later version than the lowest.
    errors = errors_of(version, types=["node"], lib=["es2020"], skipLibCheck=version == "lowest")
    assert errors == ""


@VERSIONS
def test_the_examples_of_the_documentation_compile(
    version: str, typescript: Path, package: Path, errors_of: Compile
) -> None:
    for name in ("@types", "undici-types"):
        modules = typescript / "node_modules"
        (package / "node_modules" / name).symlink_to(modules / name)
    for program in (ROOT / "docs" / "examples" / "node").glob("*.mjs"):
        (package / f"{program.stem}.mts").write_text(program.read_text())
    options = {"target": "es2022", "types": ["node"], "skipLibCheck": version == "lowest"}
    assert errors_of(version, **options) == ""
