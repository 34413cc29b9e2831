import assert from "node:assert/strict";
import { test } from "node:test";
import { AbortError, Client, RequestError, SidecarError } from "flyte-sidecar";
import { FakeSidecar } from "./fake-sidecar.mjs";
import { awaitOpen, rejection, spawn } from "./real-sidecar.mjs";

const TARGET = { runName: "r1", name: "deploy" };

test("an abort cancels a wait and rejects it with an AbortError that has the reason", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const abort = new AbortController();
  const wait = client.events.wait(TARGET, { signal: abort.signal });
  await awaitOpen(client, 1);
  abort.abort("enough");
  const error = await rejection(wait, AbortError);
  assert.ok(error instanceof RequestError && error instanceof SidecarError);
  assert.deepEqual(
    [error.name, error.kind, error.code],
    ["AbortError", "request_cancelled", -32800],
  );
  assert.equal(error.cause, "enough");
  await awaitOpen(client, 0);
});

test("a timeout rejects with an AbortError whose cause is a TimeoutError", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const wait = client.events.wait(TARGET, { signal: AbortSignal.timeout(10) });
  const error = await rejection(wait, AbortError);
  assert.equal((error.cause as Error).name, "TimeoutError");
});

test("one signal cancels many calls", async (t) => {
  const client = await spawn(t);
  await client.events.create(TARGET);
  const warned = t.mock.method(process, "emitWarning");
  const abort = new AbortController();
  const { signal } = abort;
  const waits = Array.from({ length: 50 }, () =>
    rejection(client.events.wait(TARGET, { signal }), AbortError),
  );
  await awaitOpen(client, 50);
  abort.abort();
  await Promise.all(waits);
  assert.equal(warned.mock.callCount(), 0);
});

test("a call whose signal is already aborted is not sent", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: AbortSignal.abort() });
  assert.equal((await rejection(call, AbortError)).data.outcome, "none");
  void client.sidecar.status();
  assert.equal((await fake.receive()).method, "sidecar.status");
});

test("a write that was applied despite the abort resolves", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  const request = await fake.receive();
  abort.abort();
  const { method, params } = await fake.receive();
  assert.deepEqual([method, params], ["$/cancelRequest", { id: request.id }]);
  fake.send({ id: request.id ?? null, result: { payload: true } });
  assert.deepEqual(await call, { payload: true });
});

test("the AbortError of a write has the outcome that the sidecar reports", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  abort.abort();
  const data = {
    kind: "request_cancelled",
    retryable: false,
    outcome: "unknown",
    actionName: "e1",
  };
  await fake.respondError(-32800, "the client cancelled the request", data);
  const error = await rejection(call, AbortError);
  assert.deepEqual(error.data, data);
});

test("another error after an abort is thrown unchanged", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const abort = new AbortController();
  const call = client.events.wait(TARGET, { signal: abort.signal });
  abort.abort();
  await fake.respondError(1003, "there is none", { kind: "event_not_found", retryable: false });
  const error = await rejection(call, RequestError);
  assert.deepEqual([error.name, error.kind], ["RequestError", "event_not_found"]);
});

test("a call rejects if the sidecar does not respond to its cancellation", async (t) => {
  const { fake, client } = await FakeSidecar.attach();
  const abort = new AbortController();
  const call = client.events.signal({ ...TARGET, payload: true }, { signal: abort.signal });
  await fake.receive();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  abort.abort("enough");
  t.mock.timers.tick(15_000);
  const error = await rejection(call, AbortError);
  assert.deepEqual([error.data.outcome, error.cause], ["unknown", "enough"]);
});

test("a signal that is not an AbortSignal is a TypeError and affects no other call", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.sidecar.status();
  for (const signal of [new AbortController(), {}, { aborted: false }, 5] as AbortSignal[]) {
    await rejection(client.events.get(TARGET, { signal }), TypeError);
    await rejection(client.events.watch({}, { signal }).next(), TypeError);
    await rejection(client.events.listAll(TARGET, { signal }).next(), TypeError);
    await rejection(Client.spawn({ signal }), TypeError);
  }
  await fake.respond("sidecar.status", {});
  assert.deepEqual(await call, {});
  assert.deepEqual(fake.lines, []);
});

test("an abort after the response has no effect", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const abort = new AbortController();
  const call = client.events.get(TARGET, { signal: abort.signal });
  await fake.respond("events.get", null);
  await call;
  abort.abort();
  void client.sidecar.status();
  assert.equal((await fake.receive()).method, "sidecar.status");
});
