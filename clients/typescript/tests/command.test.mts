import assert from "node:assert/strict";
import { spawn as start } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  AbortError,
  Client,
  DisconnectedError,
  type SidecarCommand,
  SpawnError,
} from "flyte-sidecar";
import { INITIALIZE_RESULT } from "./fake-sidecar.mjs";
import { hasExited, rejection, store } from "./real-sidecar.mjs";

const require = createRequire(import.meta.url);
const { version } = require("flyte-sidecar/package.json");
const INSTALL =
  "install flyte-sidecar with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar`" +
  " or `pip install flyte-sidecar`";
const BUNDLE = `@flyte-sidecar/${process.platform}-${process.arch}`;
const UVX_ARGUMENTS = ["--from", `flyte-sidecar[flyte]==${version}`, "flyte-sidecar"];
const POSIX = process.platform !== "win32";

const RESPONSE = JSON.stringify({ jsonrpc: "2.0", id: 0, result: INITIALIZE_RESULT });
const FAKE = `read line; echo '${RESPONSE}'; while read line; do :; done`;

test("the first command in the documented order is used and reported", {
  skip: !POSIX,
}, async (t) => {
  const other = folder(t);
  const installed = folder(t);
  script(installed, "flyte-sidecar", FAKE);
  const withUvx = folder(t);
  script(withUvx, "uvx", `[ "$*" = "${UVX_ARGUMENTS.join(" ")} --store s" ] || exit 9; ${FAKE}`);
  const program = join(installed, "flyte-sidecar");
  const missing = "/no/such/sidecar";
  const uvx = { program: join(withUvx, "uvx"), args: UVX_ARGUMENTS, source: "uvx" };
  const named = { PATH: installed, FLYTE_SIDECAR: "flyte-sidecar" };
  const both = [other, withUvx, installed].join(delimiter);
  for (const [options, expected] of [
    [{ command: program, env: { PATH: other, FLYTE_SIDECAR: missing } }, { source: "option" }],
    [{ command: "flyte-sidecar", env: { PATH: installed } }, { source: "option" }],
    [{ command: `~/${relative(homedir(), program)}`, env: {} }, { source: "option" }],
    [{ command: "./flyte-sidecar", cwd: installed, env: {} }, { source: "option" }],
    [{ command: "./flyte-sidecar", cwd: pathToFileURL(installed), env: {} }, { source: "option" }],
    [{ env: { PATH: other, FLYTE_SIDECAR: program } }, { source: "environment" }],
    [{ env: named }, { source: "environment" }],
    [{ env: { PATH: both, FLYTE_SIDECAR: "" } }, { source: "path" }],
    [{ env: { PATH: withUvx } }, uvx],
  ] as [object, Partial<SidecarCommand>][]) {
    const client = await Client.spawn({ ...options, args: ["--store", "s"] });
    const { reason, ...command } = client.command as SidecarCommand;
    assert.deepEqual(command, { program, args: [], ...expected });
    assert.notEqual(reason, "");
    await client.close();
  }
});

test("the package for this platform is used before the PATH", { skip: !POSIX }, async (t) => {
  const modules = join(folder(t), "node_modules");
  const own = dirname(require.resolve("flyte-sidecar/package.json"));
  for (const each of ["package.json", "dist"]) {
    cpSync(join(own, each), join(modules, "flyte-sidecar", each), { recursive: true });
  }
  const bin = join(modules, BUNDLE, "bin");
  mkdirSync(bin, { recursive: true });
  script(bin, "flyte-sidecar", FAKE);
  const copy: typeof import("flyte-sidecar") = require(join(modules, "flyte-sidecar"));
  const { PATH } = process.env;
  for (const [env, source] of [
    [{ PATH }, "bundled"],
    [{ PATH, FLYTE_SIDECAR: "flyte-sidecar" }, "environment"],
  ] as const) {
    const client = await copy.Client.spawn({ env, args: await store(t) });
    assert.equal(client.command?.source, source);
    await client.close();
  }
});

test("what is no program, and relative folders, are skipped on the PATH", {
  skip: !POSIX,
}, async (t) => {
  const here = folder(t);
  const last = folder(t);
  for (const each of [here, last]) script(each, "flyte-sidecar", FAKE);
  const before = process.cwd();
  process.chdir(here);
  t.after(() => process.chdir(before));
  const unusable = folder(t);
  mkdirSync(join(unusable, "flyte-sidecar"));
  const text = folder(t);
  writeFileSync(join(text, "flyte-sidecar"), "");
  const PATH = ["", ".", relative(before, here), unusable, text, last].join(delimiter);
  const client = await Client.spawn({ env: { PATH } });
  assert.equal(client.command?.program, join(last, "flyte-sidecar"));
  await client.close();
});

test("the variable of this process selects the command", async (t) => {
  const before = process.env.FLYTE_SIDECAR;
  process.env.FLYTE_SIDECAR = "/no/such/sidecar";
  t.after(() => {
    if (before === undefined) delete process.env.FLYTE_SIDECAR;
    else process.env.FLYTE_SIDECAR = before;
  });
  const error = await rejection(Client.spawn(), SpawnError);
  assert.match(error.message, /^cannot spawn "\/no\/such\/sidecar": FLYTE_SIDECAR selects it, /);
});

test("an error names what was tried, and how to install the command", async (t) => {
  const here = folder(t);
  mkdirSync(join(here, "folder"));
  writeFileSync(join(here, "text"), "");
  const noName = `no folder of the PATH (${here}) has a program of this name`;
  for (const [options, problem] of [
    [
      {},
      "flyte-sidecar was not found. Tried: the option `command` (not set), FLYTE_SIDECAR (not set)," +
        ` the package ${BUNDLE} (not installed: npm installs it with this one on supported platforms,` +
        ` unless it omits optional dependencies), flyte-sidecar and uvx in the folders of the PATH` +
        ` (${here})`,
    ],
    [{ command: "none" }, `cannot spawn "none": the option \`command\` selects it, but ${noName}`],
    [{ command: "" }, `cannot spawn "": the option \`command\` selects it, but ${noName}`],
    [
      { env: { FLYTE_SIDECAR: "none --option" } },
      `cannot spawn "none --option": FLYTE_SIDECAR selects it, but ${noName.replace(here, "not set")}`,
    ],
    ...[
      ["folder", "is not a file"],
      ["text", "is not executable"],
      ["none", "does not exist"],
    ].map(([name, what]) => [
      { command: `./${name}`, cwd: here },
      `cannot spawn "./${name}": the option \`command\` selects it, but ${join(here, name as string)} ${what}`,
    ]),
  ] as [object, string][]) {
    const error = await rejection(Client.spawn({ env: { PATH: here }, ...options }), SpawnError);
    assert.equal(error.kind, "spawn_failed");
    assert.equal(error.message, `${problem}; ${INSTALL}`);
  }
});

test("a command whose interpreter is missing, and a missing folder, are named", async (t) => {
  const here = folder(t);
  script(here, "broken", "", "/no/such/python");
  const command = join(here, "broken");
  const broken = await rejection(Client.spawn({ command }), SpawnError);
  assert.equal((broken.cause as NodeJS.ErrnoException).code, "ENOENT");
  assert.equal(
    broken.message,
    `cannot spawn "${command}": the file exists, but not the interpreter or the loader that it needs;` +
      " the option `command` selects it",
  );
  const cwd = join(here, "none");
  const missing = await rejection(Client.spawn({ cwd }), SpawnError);
  assert.equal(missing.message, `cannot spawn a sidecar: the folder ${cwd} does not exist`);
});

test("what uvx writes to stderr is in the error if it fails", { skip: !POSIX }, async (t) => {
  const here = folder(t);
  script(here, "uvx", "echo 'error: Failed to fetch' >&2; exit 2");
  const error = await rejection(Client.spawn({ env: { PATH: here } }), DisconnectedError);
  const command = [join(here, "uvx"), ...UVX_ARGUMENTS].join(" ");
  assert.equal(
    error.message,
    `${command} ended before a sidecar responded; to do without uvx, ${INSTALL}` +
      "\nstderr ends with:\nerror: Failed to fetch",
  );
  assert.equal(error.exitCode, 2);
});

test("a sidecar behind uvx exits when the client is killed", { skip: !POSIX }, async (t) => {
  const here = folder(t);
  const file = join(here, "pid");
  const child = 'echo $$ >"$FILE"; shift 3; exec "$SIDECAR" "$@"';
  script(here, "uvx", `/bin/sh -c '${child}' uvx "$@"; :`);
  const parent = start(
    process.execPath,
    [fileURLToPath(new URL("parent.mjs", import.meta.url)), ...(await store(t))],
    {
      env: { PATH: here, FILE: file, SIDECAR: installedSidecar() },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(createInterface({ input: parent.stdout }), "line");
  const pid = Number(readFileSync(file, "utf8"));
  assert.ok(!hasExited(pid));
  parent.kill("SIGKILL");
  await exit(pid);
});

test("a sidecar behind uvx is killed when the start is aborted", { skip: !POSIX }, async (t) => {
  const here = folder(t);
  script(here, "uvx", "/bin/sh -c 'echo $$ >&2; exec /bin/sleep 1000'; :");
  const abort = new AbortController();
  const stderr = new PassThrough();
  let pid = 0;
  stderr.once("data", (data) => {
    pid = Number(data);
    abort.abort();
  });
  const { signal } = abort;
  await rejection(Client.spawn({ env: { PATH: here }, stderr, signal }), AbortError);
  assert.notEqual(pid, 0);
  await exit(pid);
});

/** Returns a new folder. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "flyte sidecar "));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Returns the path of the sidecar on the PATH. */
function installedSidecar(): string {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .map((each) => join(each, "flyte-sidecar"))
    .find(existsSync);
  assert.ok(path, "these tests need flyte-sidecar on the PATH");
  return path;
}

/** Writes an executable script. */
function script(folder: string, name: string, text: string, interpreter = "/bin/sh"): void {
  writeFileSync(join(folder, name), `#!${interpreter}\n${text}\n`, { mode: 0o755 });
}

/** Resolves when a process has exited. */
async function exit(pid: number): Promise<void> {
  while (!hasExited(pid)) await pause(10);
}
