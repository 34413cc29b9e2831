import assert from "node:assert/strict";
import { spawn as start } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AbortError, Client, ClosedError, DisconnectedError } from "flyte-sidecar";
import { FakeSidecar, INITIALIZE_RESULT } from "./fake-sidecar.mjs";
import { awaitOpen, hasExited, rejection, spawn, store } from "./real-sidecar.mjs";

const TARGET = { runName: "r1", name: "deploy" };
const node = (script: string) => ({ command: process.execPath, args: ["-e", script] });

test("close ends the sidecar and rejects long waits", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const waits = Array.from({ length: 200 }, () =>
    client.events.wait({ ...TARGET, timeoutSeconds: 3600 }),
  );
  await awaitOpen(client, 200);
  const ends = Promise.all(waits.map((wait) => rejection(wait, ClosedError)));
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
  assert.ok(hasExited(client.pid));
});

test("calls before close get their responses", async (t) => {
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

test("close cancels open-ended calls and awaits all other responses", async () => {
  const { fake, client } = await FakeSidecar.attach();
  fake.endWithInput();
  const wait = rejection(client.events.wait(TARGET), ClosedError);
  const next = client.events.watch().next();
  const call = client.sidecar.status();
  const [waited, watched, called] = [
    await fake.receive(),
    await fake.receive(),
    await fake.receive(),
  ];
  const closing = client.close();
  await wait;
  const cancelled = [(await fake.receive()).params.id, (await fake.receive()).params.id];
  assert.deepEqual(cancelled.sort(), [waited.id, watched.id]);
  fake.send(
    { id: waited.id ?? null, error: { code: -32800, message: "cancelled" } },
    { id: watched.id ?? null, result: { reason: "cancelled" } },
    { id: called.id ?? null, result: { uptimeSeconds: 1 } },
  );
  assert.deepEqual(await next, { done: true, value: { reason: "cancelled" } });
  assert.deepEqual(await call, { uptimeSeconds: 1 });
  await closing;
  assert.deepEqual(fake.lines, []);
});

test("calls on a closed client reject", async (t) => {
  const client = await spawn(t);
  await client.close();
  for (const call of [client.events.pending(), client.request("x"), client.events.watch().next()]) {
    assert.equal((await rejection(call, ClosedError)).kind, "closed");
  }
});

test("a client is closed at the end of its block", async (t) => {
  const client = await spawn(t);
  await client[Symbol.asyncDispose]();
  assert.ok(hasExited(client.pid));
});

test("killing the sidecar rejects pending calls and resolves `closed`", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const wait = client.events.wait(TARGET);
  const watch = client.events.watch();
  await watch.next();
  await awaitOpen(client, 1, 1);
  const failures = Promise.all([
    rejection(wait, DisconnectedError),
    rejection(
      watch.next().then(() => watch.next()),
      DisconnectedError,
    ),
  ]);
  process.kill(client.pid ?? 0, "SIGKILL");
  const [error] = await failures;
  assert.deepEqual([error.kind, error.signal, error.exitCode], ["disconnected", "SIGKILL", null]);
  assert.match(error.message, /exited \(SIGKILL\)/);
  const ending = await client.closed;
  assert.ok(ending.error instanceof DisconnectedError);
  await rejection(client.events.pending(), DisconnectedError);
  await client.close();
});

test("options that Node rejects reject with Node's error", async () => {
  await assert.rejects(Client.spawn({ args: ["with\0null"] }), { code: "ERR_INVALID_ARG_VALUE" });
});

test("the error of a command that exits immediately has its status and stderr", async () => {
  const command = node("console.error('x'.repeat(5000) + '\\nno store here'); process.exit(3)");
  const error = await rejection(Client.spawn(command), DisconnectedError);
  assert.equal(error.exitCode, 3);
  assert.match(
    error.message,
    /^the sidecar exited \(exit status 3\)\nstderr ends with:\nno store here$/,
  );
});

test("a write that fails after the sidecar has exited is only the cause of the error", () => {
  const cause = new Error("write EPIPE");
  const exit = { exitCode: 3, signal: null, stderr: "no store here" };
  const error = new DisconnectedError(exit, undefined, cause);
  assert.equal(
    error.message,
    "the sidecar exited (exit status 3)\nstderr ends with:\nno store here",
  );
  assert.equal(error.cause, cause);
});

test("a command that writes output other than JSON-RPC is killed", async () => {
  for (const script of [
    "setInterval(() => console.log('hello'), 1)",
    "process.stdout.write('h'); setInterval(() => {}, 1e6)",
  ]) {
    const error = await rejection(Client.spawn(node(script)), DisconnectedError);
    assert.match(error.message, /^the sidecar's output is invalid: not JSON-RPC: "h(ello)*"$/);
  }
});

test("a command that does not respond is killed when the start is aborted", async () => {
  const abort = new AbortController();
  const stderr = new PassThrough();
  const script =
    "console.error(process.pid); process.stdin.on('end', () => {}); setInterval(() => {}, 1e6)";
  const opening = rejection(
    Client.spawn({ ...node(script), stderr, signal: abort.signal }),
    AbortError,
  );
  const [pid] = await once(stderr, "data");
  abort.abort("enough");
  assert.equal((await opening).cause, "enough");
  assert.ok(hasExited(Number(pid)));
  await rejection(Client.spawn({ signal: AbortSignal.abort() }), AbortError);
  await rejection(Client.attach({ ...new FakeSidecar(), signal: AbortSignal.abort() }), AbortError);
});

test("a sidecar that does not exit after the end of its input is killed", async (t) => {
  const hello = JSON.stringify({ jsonrpc: "2.0", id: 0, result: { protocolVersion: "1.0" } });
  const client = await Client.spawn(
    node(`console.log(${JSON.stringify(hello)}); setInterval(() => {}, 1e6)`),
  );
  const call = rejection(client.sidecar.status(), DisconnectedError);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const closing = client.close();
  t.mock.timers.tick(15_000);
  assert.equal((await call).message, "the sidecar did not exit after the end of its input");
  await closing;
  assert.equal((await client.closed).signal, "SIGKILL");
});

test("stderr is written to the stream that the caller passes", async (t) => {
  const stderr = new PassThrough();
  const args = [...(await store(t)), "--log-level", "debug"];
  const client = await spawn(t, { args, stderr });
  await client.close();
  const { stderr: kept } = await client.closed;
  assert.ok(kept.length > 0);
  assert.ok(String(stderr.read()).includes(kept));
});

test("a full stream for stderr neither grows nor delays close", async () => {
  const stderr = new PassThrough();
  const hello = JSON.stringify({ jsonrpc: "2.0", id: 0, result: INITIALIZE_RESULT });
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

test("a stream for stderr that has ended is not written to", async (t) => {
  const stderr = new PassThrough();
  stderr.end();
  const args = [...(await store(t)), "--log-level", "debug"];
  await (await spawn(t, { args, stderr })).close();
});

test("the environment and the working directory are options", async (t) => {
  const [, path = ""] = await store(t);
  const env = { ...process.env, FLYTE_SIDECAR_STORE: path };
  const client = await Client.spawn({ env, cwd: new URL(".", import.meta.url) });
  await client.events.create(TARGET);
  await client.close();
  const again = await spawn(t, { args: ["--store", path] });
  assert.equal((await again.events.get(TARGET))?.name, "deploy");
});

const skip = process.platform === "win32";
test("the sidecar ignores Ctrl-C and exits when its parent is killed", {
  skip,
}, async (t) => {
  const script = fileURLToPath(new URL("parent.mjs", import.meta.url));
  const parent = start(process.execPath, [script, ...(await store(t))], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  process.kill(-(parent.pid ?? Number.NaN), "SIGINT"); // to the process group, as a terminal does
  assert.equal((await lines.next()).value, "still running");
  parent.kill("SIGKILL");
  while (!hasExited(pid)) await pause(10);
});

test("the end of an attached stream closes the client", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.sidecar.status();
  const { id = null } = await fake.receive();
  const lost = rejection(client.events.pending(), DisconnectedError);
  fake.send({ id, result: { uptimeSeconds: 1 } });
  fake.input.end();
  assert.deepEqual(await call, { uptimeSeconds: 1 });
  const error = await lost;
  assert.deepEqual([error.exitCode, error.signal, error.stderr], [null, null, ""]);
  assert.equal((await client.closed).error?.kind, "disconnected");
  await rejection(client.sidecar.status(), DisconnectedError);
});

test("an error of an attached stream rejects calls and is not uncaught", async () => {
  for (const side of ["input", "output"] as const) {
    const { fake, client } = await FakeSidecar.attach();
    fake.endWithInput();
    const call = client.sidecar.status();
    const cause = new Error("write EPIPE");
    fake[side].destroy(cause);
    if (side === "output") fake.input.end();
    const error = await rejection(call, DisconnectedError);
    assert.deepEqual(
      [error.cause, error.message],
      [cause, "the connection to the sidecar ended: write EPIPE"],
    );
    await rejection(client.sidecar.status(), DisconnectedError);
    await client.close();
  }
});

for (const [about, stop] of [
  ["failed", (output: PassThrough) => output.destroy(new Error("write EPIPE"))],
  ["was ended by other code", (output: PassThrough) => output.end()],
] as const) {
  test(`calls over a stream that ${about} reject after the timeout`, async (t) => {
    const { fake, client } = await FakeSidecar.attach();
    const before = rejection(client.sidecar.status(), DisconnectedError);
    const { id = null } = await fake.receive();
    const answered = client.events.pending();
    const { id: other = null } = await fake.receive();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    stop(fake.output);
    const after = rejection(client.sidecar.status(), DisconnectedError);
    fake.send({ id: other, result: {} });
    assert.deepEqual(await answered, {});
    t.mock.timers.tick(15_000);
    assert.match((await before).message, /^the sidecar did not exit after the end of its input/);
    await after;
    await client.close();
    assert.notEqual(id, other);
  });
}

test("a response that arrives together with the end of the stream is delivered", async () => {
  const input = new Readable({ read() {} });
  const opening = Client.attach({ input, output: new PassThrough().resume() });
  input.push(`${JSON.stringify({ jsonrpc: "2.0", id: 0, result: INITIALIZE_RESULT })}\n`);
  input.push(null);
  const client = await opening;
  assert.equal((await client.closed).error?.kind, "disconnected");
});

test("an abort during close loses no data that was sent", async (t) => {
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
