import assert from "node:assert/strict";
import { spawn as start } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AbortError, Client, ClosedError, DisconnectedError, SpawnError } from "flyte-sidecar";
import { HELLO, Player } from "./player.mjs";
import { busy, failure, spawn, store } from "./sidecar.mjs";

const TARGET = { runName: "r1", name: "deploy" };
const node = (script: string) => ({ command: process.execPath, args: ["-e", script] });

test("closing ends the sidecar, and what waits is rejected, however long it would", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const waits = Array.from({ length: 200 }, () =>
    client.events.wait({ ...TARGET, timeoutSeconds: 3600 }),
  );
  await busy(client, 200);
  const ends = Promise.all(waits.map((wait) => failure(wait, ClosedError)));
  const closing = client.close();
  for (const { kind } of await ends) assert.equal(kind, "closed");
  await closing;
  await client.close();
  assert.deepEqual(await client.closed, {
    exitCode: 0,
    signal: null,
    stderr: "",
    error: undefined,
  });
  assert.ok(gone(client.pid));
});

test("what was called before closing is answered", async (t) => {
  const client = await spawn(t);
  const prompt = "x".repeat(4 << 20);
  const calls = ["a", "b", "c"].map((name) =>
    client.events.create({ runName: "r1", name, prompt }),
  );
  const closing = client.close();
  assert.deepEqual(
    (await Promise.all(calls)).map((event) => event.name),
    ["a", "b", "c"],
  );
  await closing;
});

test("closing cancels what is open, and awaits the answers of all else", async () => {
  const { player, client } = await Player.meet();
  player.endWithInput();
  const wait = failure(client.events.wait(TARGET), ClosedError);
  const next = client.events.watch().next();
  const call = client.sidecar.status();
  const [waited, watched, called] = [
    await player.receive(),
    await player.receive(),
    await player.receive(),
  ];
  const closing = client.close();
  await wait;
  const cancelled = [(await player.receive()).params.id, (await player.receive()).params.id];
  assert.deepEqual(cancelled.sort(), [waited.id, watched.id]);
  player.send(
    { id: waited.id ?? null, error: { code: -32800, message: "cancelled" } },
    { id: watched.id ?? null, result: { reason: "cancelled" } },
    { id: called.id ?? null, result: { uptimeSeconds: 1 } },
  );
  assert.deepEqual(await next, { done: true, value: { reason: "cancelled" } });
  assert.deepEqual(await call, { uptimeSeconds: 1 });
  await closing;
  assert.deepEqual(player.lines, []);
});

test("a closed client refuses calls", async (t) => {
  const client = await spawn(t);
  await client.close();
  for (const call of [client.events.pending(), client.request("x"), client.events.watch().next()]) {
    assert.equal((await failure(call, ClosedError)).kind, "closed");
  }
});

test("a client is closed at the end of its block", async (t) => {
  const client = await spawn(t);
  await client[Symbol.asyncDispose]();
  assert.ok(gone(client.pid));
});

test("a sidecar that is killed rejects what is under way, and shows as closed", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const wait = client.events.wait(TARGET);
  const watch = client.events.watch();
  await watch.next();
  await busy(client, 1, 1);
  const failures = Promise.all([
    failure(wait, DisconnectedError),
    failure(
      watch.next().then(() => watch.next()),
      DisconnectedError,
    ),
  ]);
  process.kill(client.pid ?? 0, "SIGKILL");
  const [error] = await failures;
  assert.deepEqual([error.kind, error.signal, error.exitCode], ["disconnected", "SIGKILL", null]);
  assert.match(error.message, /has ended \(SIGKILL\)/);
  const ending = await client.closed;
  assert.ok(ending.error instanceof DisconnectedError);
  await failure(client.events.pending(), DisconnectedError);
  await client.close();
});

test("a command that does not exist cannot be started", async () => {
  const error = await failure(Client.spawn({ command: "no-such-sidecar" }), SpawnError);
  assert.equal(error.kind, "spawn_failed");
  assert.match(
    error.message,
    /^cannot start "no-such-sidecar": .*ENOENT; install flyte-sidecar \(pip\), or give the command$/,
  );
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ENOENT");
});

test("a folder that does not exist is named", async () => {
  const error = await failure(Client.spawn({ cwd: "/no/such/folder" }), SpawnError);
  assert.equal(error.message, 'cannot start "flyte-sidecar": there is no folder /no/such/folder');
});

test("whoever may not start a command is not told to install it", async () => {
  const command = fileURLToPath(new URL("../package.json", import.meta.url));
  const error = await failure(Client.spawn({ command }), SpawnError);
  assert.match(error.message, /EACCES$/);
});

test("options that Node refuses are refused in Node's words", async () => {
  await assert.rejects(Client.spawn({ command: "with\0null" }), { code: "ERR_INVALID_ARG_VALUE" });
});

test("a command that ends at once is told with its status and its last words", async () => {
  const command = node("console.error('x'.repeat(5000) + '\\nno store here'); process.exit(3)");
  const error = await failure(Client.spawn(command), DisconnectedError);
  assert.equal(error.exitCode, 3);
  assert.match(
    error.message,
    /^the sidecar has ended \(exit status 3\)\nits stderr ends with:\nno store here$/,
  );
});

test("a command that writes garbage is ended", async () => {
  for (const script of [
    "setInterval(() => console.log('hello'), 1)",
    "process.stdout.write('h'); setInterval(() => {}, 1e6)",
  ]) {
    const error = await failure(Client.spawn(node(script)), DisconnectedError);
    assert.match(
      error.message,
      /^the sidecar's output cannot be read: it is not JSON-RPC: "h(ello)*"$/,
    );
  }
});

test("a command that stays silent is ended when its opening is aborted", async () => {
  const abort = new AbortController();
  const stderr = new PassThrough();
  const script =
    "console.error(process.pid); process.stdin.on('end', () => {}); setInterval(() => {}, 1e6)";
  const opening = failure(
    Client.spawn({ ...node(script), stderr, signal: abort.signal }),
    AbortError,
  );
  const [pid] = await once(stderr, "data");
  abort.abort("enough");
  assert.equal((await opening).cause, "enough");
  assert.ok(gone(Number(pid)));
  await failure(Client.spawn({ signal: AbortSignal.abort() }), AbortError);
  await failure(Client.attach({ ...new Player(), signal: AbortSignal.abort() }), AbortError);
});

test("a sidecar that does not end with its input is killed", async (t) => {
  const hello = JSON.stringify({ jsonrpc: "2.0", id: 0, result: { protocolVersion: "1.0" } });
  const client = await Client.spawn(
    node(`console.log(${JSON.stringify(hello)}); setInterval(() => {}, 1e6)`),
  );
  const call = failure(client.sidecar.status(), DisconnectedError);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const closing = client.close();
  t.mock.timers.tick(15_000);
  assert.equal((await call).message, "the sidecar did not end with its input");
  await closing;
  assert.equal((await client.closed).signal, "SIGKILL");
});

test("stderr goes where the caller wants it", async (t) => {
  const stderr = new PassThrough();
  const args = [...(await store(t)), "--log-level", "debug"];
  const client = await spawn(t, { args, stderr });
  await client.close();
  const { stderr: kept } = await client.closed;
  assert.ok(kept.length > 0);
  assert.ok(String(stderr.read()).includes(kept));
});

test("a stream for stderr that takes no more holds neither memory nor the end", async () => {
  const stderr = new PassThrough();
  const hello = JSON.stringify({ jsonrpc: "2.0", id: 0, result: HELLO });
  const client = await Client.spawn({
    ...node(
      `fs.write(2, Buffer.alloc(10_000_000, "x"), () => {});
       process.stdin.on("end", () => process.kill(process.pid, "SIGKILL")).resume();
       console.log(${JSON.stringify(hello)});`,
    ),
    stderr,
  });
  while (!stderr.writableNeedDrain) await pause(1);
  await client.close();
  assert.ok(stderr.writableLength + stderr.readableLength < 1_000_000);
});

test("a stream for stderr that has ended is left alone", async (t) => {
  const stderr = new PassThrough();
  stderr.end();
  const args = [...(await store(t)), "--log-level", "debug"];
  await (await spawn(t, { args, stderr })).close();
});

test("the environment and the folder are the caller's choice", async (t) => {
  const [, path = ""] = await store(t);
  const env = { ...process.env, FLYTE_SIDECAR_STORE: path };
  const client = await Client.spawn({ env, cwd: new URL(".", import.meta.url) });
  await client.events.create(TARGET);
  await client.close();
  const again = await spawn(t, { args: ["--store", path] });
  assert.equal((await again.events.get(TARGET))?.name, "deploy");
});

const skip = process.platform === "win32";
test("Ctrl-C is the parent's, and the sidecar ends with it, even if it is killed", {
  skip,
}, async (t) => {
  const script = fileURLToPath(new URL("parent.mjs", import.meta.url));
  const parent = start(process.execPath, [script, ...(await store(t))], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  process.kill(-(parent.pid ?? Number.NaN), "SIGINT"); // to the group, as a terminal does
  assert.equal((await lines.next()).value, "still served");
  parent.kill("SIGKILL");
  while (!gone(pid)) await pause(10);
});

test("the end of an attached stream is the end of the client", async () => {
  const { player, client } = await Player.meet();
  const call = client.sidecar.status();
  const { id = null } = await player.receive();
  const lost = failure(client.events.pending(), DisconnectedError);
  player.send({ id, result: { uptimeSeconds: 1 } });
  player.input.end();
  assert.deepEqual(await call, { uptimeSeconds: 1 });
  const error = await lost;
  assert.deepEqual([error.exitCode, error.signal, error.stderr], [null, null, ""]);
  assert.equal((await client.closed).error?.kind, "disconnected");
  await failure(client.sidecar.status(), DisconnectedError);
});

test("an error of an attached stream is no error of the host", async () => {
  for (const side of ["input", "output"] as const) {
    const { player, client } = await Player.meet();
    player.endWithInput();
    const call = client.sidecar.status();
    const cause = new Error("write EPIPE");
    player[side].destroy(cause);
    if (side === "output") player.input.end();
    const error = await failure(call, DisconnectedError);
    assert.deepEqual([error.cause, error.message], [cause, "the sidecar has ended: write EPIPE"]);
    await failure(client.sidecar.status(), DisconnectedError);
    await client.close();
  }
});

for (const [about, stop] of [
  ["broke", (output: PassThrough) => output.destroy(new Error("write EPIPE"))],
  ["somebody else has ended", (output: PassThrough) => output.end()],
] as const) {
  test(`calls over a stream that ${about} are rejected in time`, async (t) => {
    const { player, client } = await Player.meet();
    const before = failure(client.sidecar.status(), DisconnectedError);
    const { id = null } = await player.receive();
    const answered = client.events.pending();
    const { id: other = null } = await player.receive();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    stop(player.output);
    const after = failure(client.sidecar.status(), DisconnectedError);
    player.send({ id: other, result: {} });
    assert.deepEqual(await answered, {});
    t.mock.timers.tick(15_000);
    assert.match((await before).message, /^the sidecar did not end with its input/);
    await after;
    await client.close();
    assert.notEqual(id, other);
  });
}

test("an answer that is read together with the end is an answer", async () => {
  const input = new Readable({ read() {} });
  const opening = Client.attach({ input, output: new PassThrough().resume() });
  input.push(`${JSON.stringify({ jsonrpc: "2.0", id: 0, result: HELLO })}\n`);
  input.push(null);
  const client = await opening;
  assert.equal((await client.closed).error?.kind, "disconnected");
});

test("an abort while closing loses nothing of what was sent", async (t) => {
  const client = await spawn(t);
  const abort = new AbortController();
  const { signal } = abort;
  const prompt = "x".repeat(8 << 20);
  const create = client.events.create({ runName: "r1", name: "big", prompt }, { signal });
  const closing = client.close();
  abort.abort();
  assert.equal((await create).prompt, prompt);
  await closing;
});

/** Tells whether a process has ended, be it that nobody has asked for its status yet. */
function gone(pid = 0): boolean {
  try {
    process.kill(pid, 0);
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}
