import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { store } from "./real-sidecar.mjs";

const POSIX = { skip: process.platform === "win32" };
const LAUNCHER = join(
  dirname(createRequire(import.meta.url).resolve("flyte-sidecar/package.json")),
  "dist/cli.js",
);
chmodSync(LAUNCHER, 0o755); // as an installation by npm
const SIDECAR = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "flyte-sidecar"))
  .find(existsSync) as string;
const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"sidecar.status"}\n';

/** A command that reports its arguments, without those of the launcher, and its input. */
const ECHO = `[ "$1" != --parent-pid ] || shift 2
printf '%s;' "$@"
cat
echo log >&2
exit 7`;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "flyte-sidecar-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Writes a script of the shell, and returns its path. */
function script(t: TestContext, lines: string, shell = "/bin/sh"): string {
  const path = join(folder(t), "flyte-sidecar");
  writeFileSync(path, `#!${shell}\n${lines}\n`, { mode: 0o755 });
  return path;
}

/** Starts the launcher. */
function launch(
  t: TestContext,
  environment: Record<string, string>,
  ...args: string[]
): ChildProcessWithoutNullStreams {
  const env = { PATH: "/usr/bin:/bin", ...environment };
  const child = spawn(process.execPath, [LAUNCHER, ...args], { env });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** Returns how a process ends, and its output. */
async function ended(child: ChildProcessWithoutNullStreams) {
  const [stdout, stderr, [status, signal]] = await Promise.all([
    text(child.stdout.setEncoding("latin1")),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { stdout, stderr, status, signal };
}

test(
  "the command gets the arguments and the streams, and its status is returned",
  POSIX,
  async (t) => {
    const child = launch(t, { FLYTE_SIDECAR: script(t, ECHO) }, "", "a b", "--c='d'");
    child.stdin.end(Buffer.from("\xff\0\r\n", "latin1"));
    assert.deepEqual(await ended(child), {
      stdout: ";a b;--c='d';\xff\0\r\n",
      stderr: "log\n",
      status: 7,
      signal: null,
    });
  },
);

test("a signal that ends the command ends the launcher", POSIX, async (t) => {
  const child = launch(t, { FLYTE_SIDECAR: script(t, "kill -TERM $$") });
  assert.equal((await ended(child)).signal, "SIGTERM");
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`${signal} is passed on to the command`, POSIX, async (t) => {
    const number = { SIGTERM: "15", SIGINT: "2", SIGHUP: "1" }[signal];
    const waits = `trap 'echo ${signal}; exit 3' ${number}\necho ready\nwhile :; do read -r line; done`;
    const child = launch(t, { FLYTE_SIDECAR: script(t, waits) });
    await once(child.stdout, "readable");
    child.kill(signal);
    const { stdout, status } = await ended(child);
    assert.deepEqual([stdout, status], [`ready\n${signal}\n`, 3]);
  });
}

test("a sidecar exits when its launcher is killed", POSIX, async (t) => {
  const child = launch(t, { FLYTE_SIDECAR: SIDECAR }, ...(await store(t)));
  child.stdin.write(REQUEST);
  await once(child.stdout, "readable");
  child.kill("SIGKILL");
  await ended(child); // the end of the output, which a sidecar would keep open
});

test("launchers on the PATH, and in FLYTE_SIDECAR, are skipped", POSIX, async (t) => {
  const [link, copy, command] = [folder(t), folder(t), script(t, ECHO)];
  symlinkSync(LAUNCHER, join(link, "flyte-sidecar"));
  const shim = script(t, 'exec node "$0/../node_modules/flyte-sidecar/dist/cli.js" "$@"');
  const installed = join(copy, "node_modules", "flyte-sidecar", "dist");
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, "cli.js"), "", { mode: 0o755 });
  symlinkSync(join(installed, "cli.js"), join(copy, "flyte-sidecar"));
  const folders = [link, dirname(shim), copy, dirname(command), "/usr/bin", "/bin"];
  const env = { PATH: folders.join(delimiter), FLYTE_SIDECAR: join(link, "flyte-sidecar") };
  const child = launch(t, env, "x");
  child.stdin.end();
  assert.equal((await ended(child)).stdout, "x;");
});

test("a shim that leads back to the launcher is run once", POSIX, async (t) => {
  const shim = script(t, `exec "${process.execPath}" "$(dirname "$0")/launcher" "$@"`);
  symlinkSync(LAUNCHER, join(dirname(shim), "launcher"));
  const { stderr, status } = await ended(launch(t, { PATH: `${dirname(shim)}:/usr/bin:/bin` }));
  assert.match(stderr, /^flyte-sidecar: flyte-sidecar was not found/);
  assert.equal(status, 1);
});

test("if there is no command, the error names what was tried", POSIX, async (t) => {
  const link = folder(t);
  symlinkSync(LAUNCHER, join(link, "flyte-sidecar"));
  const child = launch(t, { PATH: link, FLYTE_SIDECAR: "flyte-sidecar" });
  const { stderr, status } = await ended(child);
  assert.equal(status, 1);
  assert.match(
    stderr,
    new RegExp(
      "^flyte-sidecar: .*FLYTE_SIDECAR \\(selects the launcher of this package\\), the package" +
        ` @flyte-sidecar/${process.platform}-${process.arch} \\(not installed: .*PATH \\(${link}\\)`,
    ),
  );
});

test("the error of a command that cannot be run names it", POSIX, async (t) => {
  const command = script(t, "", "/no/such/interpreter");
  const { stderr, status, signal } = await ended(launch(t, { FLYTE_SIDECAR: command }));
  assert.match(stderr, new RegExp(`^[^\\n]*${command}[^\\n]*\\n$`));
  assert.equal(signal, null);
  assert.notEqual(status, 0);
});
