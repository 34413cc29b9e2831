import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, RequestError } from "flyte-sidecar";
import { awaitOpen, collect, rejection, spawn } from "./real-sidecar.mjs";

test("an event is created, listed, read, answered and waited for", async (t) => {
  const client = await spawn(t);
  const created = await client.events.create({ runName: "r1", name: "deploy", prompt: "Deploy?" });
  assert.equal(created.phase, "PAUSED");
  const { events, nextCursor } = await client.events.list({ runName: "r1", phases: ["PAUSED"] });
  assert.deepEqual([events, nextCursor], [[created], null]);
  const target = { runName: "r1", name: "deploy" };
  assert.deepEqual(await client.events.get(target), created);
  assert.equal(await client.events.get({ runName: "r1", name: "nothing" }), null);
  assert.equal((await client.events.pending()).events.length, 1);
  assert.equal((await client.runs.list({ pendingOnly: true })).runs[0]?.pendingEvents, 1);
  const waited = client.events.wait(target);
  await awaitOpen(client, 1);
  const answered = await client.events.signal({ ...target, payload: true });
  assert.deepEqual([answered.payload, answered.pending], [true, false]);
  assert.deepEqual(await waited, answered);
});

test("a wait may start before its event exists", async (t) => {
  const client = await spawn(t);
  const target = { runName: "r1", name: "deploy" };
  const waited = client.events.wait({ ...target, awaitCreation: true });
  await awaitOpen(client, 1);
  await client.events.create(target);
  const answered = await client.events.signal({ ...target, payload: true });
  assert.deepEqual(await waited, answered);
});

test("an aborted event has the reason", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "deploy" });
  const event = await client.events.abort({ runName: "r1", name: "deploy", reason: "too late" });
  assert.deepEqual([event.phase, event.abortReason], ["ABORTED", "too late"]);
});

test("a RequestError has the kind, the code, the event and the caller in its stack", async (t) => {
  const client = await spawn(t);
  const target = { runName: "r1", name: "deploy" };
  await client.events.create(target);
  await client.events.signal({ ...target, payload: true });
  async function caller(): Promise<void> {
    await client.events.signal({ ...target, payload: false });
  }
  const error = await rejection(caller(), RequestError);
  assert.equal(error.name, "RequestError");
  assert.deepEqual([error.kind, error.code], ["already_signalled", 1007]);
  assert.equal(error.data.event?.payload, true);
  assert.match(error.stack ?? "", /^RequestError: event .*\n(.*\n)*.* caller .*events\.test/);
});

test("a target may contain the scope and action name of an event", async (t) => {
  const client = await spawn(t);
  const { runName, org, project, domain, actionName } = await client.events.create({
    runName: "r1",
    name: "deploy",
  });
  const target = { runName, org, project, domain, actionName, name: null, parent: undefined };
  assert.equal((await client.events.get(target))?.name, "deploy");
});

test("listings fetch pages only as far as they are read", async (t) => {
  const client = await spawn(t);
  for (const run of ["r1", "r2", "r3"]) {
    for (const name of ["a", "b", "c"]) await client.events.create({ runName: run, name });
  }
  const names = await collect(client.events.listAll({ runName: "r1", limit: 2 }));
  assert.deepEqual(
    names.map((event: Event) => event.name),
    ["a", "b", "c"],
  );
  assert.equal((await collect(client.events.pendingAll({ limit: 4 }))).length, 9);
  assert.equal((await collect(client.runs.listAll({ limit: 1 }))).length, 3);
  const before = (await client.sidecar.status()).counters.requests;
  for await (const event of client.events.pendingAll({ limit: 1 })) {
    assert.equal(event.name, "a");
    break;
  }
  assert.equal((await client.sidecar.status()).counters.requests, before + 2);
});

test("any method may be called by name", async (t) => {
  const client = await spawn(t);
  await client.request("events.create", { runName: "r1", name: "deploy", expectedType: "int" });
  const params = { runName: "r1", name: "deploy", payload: 2n ** 60n };
  const event = await client.request<Event>("events.signal", params);
  assert.equal(event.payload, 2n ** 60n);
  const error = await rejection(client.request("events.approve"), RequestError);
  assert.equal(error.kind, "method_not_found");
  assert.match(String((await client.rpc.discover()).openrpc), /^1\./);
});

test("large texts with any characters round-trip", async (t) => {
  const client = await spawn(t);
  const prompt = `Größe? 大小? 🚀 \u2028 \\ " \n${"ü".repeat(600_000)}`;
  for (let number = 0; number < 20; number += 1) {
    await client.events.create({ runName: "r1", name: `e${number}`, prompt });
  }
  const events = await collect(client.events.listAll({ runName: "r1", details: true }));
  assert.equal(events.length, 20);
  for (const event of events) assert.equal(event.prompt, prompt);
});

test("a request that is too large rejects, and the next one resolves", async (t) => {
  const client = await spawn(t);
  const prompt = "x".repeat(17 << 20);
  const call = client.events.create({ runName: "r1", name: "deploy", prompt });
  assert.equal((await rejection(call, RequestError)).kind, "message_too_large");
  assert.equal((await client.events.list({ runName: "r1" })).events.length, 0);
});

test("each of a thousand concurrent calls gets its own response", async (t) => {
  const client = await spawn(t);
  const warned = t.mock.method(process, "emitWarning");
  const { signal } = new AbortController();
  const numbers = Array.from({ length: 1000 }, (_, number) => `e${number}`);
  const events = await Promise.all(
    numbers.map((name) => client.events.create({ runName: "r1", name }, { signal })),
  );
  assert.deepEqual(
    events.map((event) => event.name),
    numbers,
  );
  assert.equal(warned.mock.callCount(), 0);
});
