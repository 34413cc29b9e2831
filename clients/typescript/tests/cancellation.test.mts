import assert from "node:assert/strict";
import { test } from "node:test";
import { AbortError, Client, RequestError, SidecarError } from "flyte-sidecar";
import { Player } from "./player.mjs";
import { busy, failure, spawn } from "./sidecar.mjs";

const TARGET = { runName: "r1", name: "deploy" };

test("an abort ends a wait on the sidecar, with an AbortError that has the reason", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const abort = new AbortController();
  const wait = client.events.wait(TARGET, { signal: abort.signal });
  await busy(client, 1);
  abort.abort("enough");
  const error = await failure(wait, AbortError);
  assert.ok(error instanceof RequestError && error instanceof SidecarError);
  assert.deepEqual(
    [error.name, error.kind, error.code],
    ["AbortError", "request_cancelled", -32800],
  );
  assert.equal(error.cause, "enough");
  await busy(client, 0);
});

test("a timeout is an abort whose cause is a TimeoutError", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const wait = client.events.wait(TARGET, { signal: AbortSignal.timeout(10) });
  const error = await failure(wait, AbortError);
  assert.equal((error.cause as Error).name, "TimeoutError");
});

test("one signal cancels many calls", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const warned = t.mock.method(process, "emitWarning");
  const abort = new AbortController();
  const { signal } = abort;
  const waits = Array.from({ length: 50 }, () =>
    failure(client.events.wait(TARGET, { signal }), AbortError),
  );
  await busy(client, 50);
  abort.abort();
  await Promise.all(waits);
  assert.equal(warned.mock.callCount(), 0);
});

test("what was aborted before it was called is not sent", async () => {
  const { player, client } = await Player.meet();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: AbortSignal.abort() });
  assert.equal((await failure(call, AbortError)).data.outcome, "none");
  void client.sidecar.status();
  assert.equal((await player.receive()).method, "sidecar.status");
});

test("an answer that was applied in spite of the abort is told as applied", async () => {
  const { player, client } = await Player.meet();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  const request = await player.receive();
  abort.abort();
  const { method, params } = await player.receive();
  assert.deepEqual([method, params], ["$/cancelRequest", { id: request.id }]);
  player.send({ id: request.id ?? null, result: { payload: true } });
  assert.deepEqual(await call, { payload: true });
});

test("what the sidecar knows of a cancelled write is told", async () => {
  const { player, client } = await Player.meet();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  abort.abort();
  const data = {
    kind: "request_cancelled",
    retryable: false,
    outcome: "unknown",
    actionName: "e1",
  };
  await player.refuse(-32800, "the client cancelled the request", data);
  const error = await failure(call, AbortError);
  assert.deepEqual(error.data, data);
});

test("another error after an abort is told as it is", async () => {
  const { player, client } = await Player.meet();
  const abort = new AbortController();
  const call = client.events.wait(TARGET, { signal: abort.signal });
  abort.abort();
  await player.refuse(1003, "there is none", { kind: "event_not_found", retryable: false });
  const error = await failure(call, RequestError);
  assert.deepEqual([error.name, error.kind], ["RequestError", "event_not_found"]);
});

test("a sidecar that does not answer after an abort is not waited for", async (t) => {
  const { player, client } = await Player.meet();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  await player.receive();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  abort.abort("enough");
  t.mock.timers.tick(15_000);
  const error = await failure(call, AbortError);
  assert.deepEqual([error.data.outcome, error.cause], ["unknown", "enough"]);
});

test("what is no signal is refused, and no other call suffers", async () => {
  const { player, client } = await Player.meet();
  const call = client.sidecar.status();
  for (const signal of [new AbortController(), {}, { aborted: false }, 5] as AbortSignal[]) {
    await failure(client.events.get(TARGET, { signal }), TypeError);
    await failure(client.events.watch({}, { signal }).next(), TypeError);
    await failure(client.events.listAll(TARGET, { signal }).next(), TypeError);
    await failure(Client.spawn({ signal }), TypeError);
  }
  await player.answer("sidecar.status", {});
  assert.deepEqual(await call, {});
  assert.deepEqual(player.lines, []);
});

test("an abort after the answer does nothing", async () => {
  const { player, client } = await Player.meet();
  const abort = new AbortController();
  const call = client.events.get(TARGET, { signal: abort.signal });
  await player.answer("events.get", null);
  await call;
  abort.abort();
  void client.sidecar.status();
  assert.equal((await player.receive()).method, "sidecar.status");
});
