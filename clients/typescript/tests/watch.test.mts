import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { test } from "node:test";
import { AbortError, type Client, RequestError, type WatchNotification } from "flyte-sidecar";
import { NotificationQueue } from "../dist/queue.js";
import { FakeSidecar, type Message } from "./fake-sidecar.mjs";
import { awaitOpen, rejection, spawn } from "./real-sidecar.mjs";

test("a watch reports current events, then changes, and the loop body can answer", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "deploy" });
  const received: string[] = [];
  for await (const notification of client.events.watch({ runName: "r1" })) {
    if (notification.method === "events.changed") {
      const { change, event } = notification.params;
      received.push(`${change} ${event.name}`);
      if (event.pending)
        await client.events.signal({ runName: "r1", name: event.name, payload: true });
      else if (event.name === "deploy") await client.events.create({ runName: "r1", name: "undo" });
      else break;
    } else received.push(notification.method);
  }
  assert.deepEqual(
    received.filter((line) => line !== "events.synced"),
    ["created deploy", "resolved deploy", "created undo", "resolved undo"],
  );
  assert.ok(received.includes("events.synced"));
});

test("leaving the loop awaits the end of the watch on the sidecar", async (t) => {
  const client = await spawn(t);
  for await (const _ of client.events.watch()) break;
  assert.equal((await client.sidecar.status()).counters.watches, 0);
});

test("an error in the loop ends the watch and is rethrown", async (t) => {
  const client = await spawn(t);
  async function loop(): Promise<void> {
    for await (const _ of client.events.watch()) throw new RangeError("mine");
  }
  await rejection(loop(), RangeError);
  assert.equal((await client.sidecar.status()).counters.watches, 0);
});

test("return and throw end a watch whose next() is pending", async (t) => {
  const client = await spawn(t);
  const leaving: ((watch: ReturnType<Client["events"]["watch"]>) => Promise<unknown>)[] = [
    (watch) => watch.return({ reason: "left" }),
    (watch) => rejection(watch.throw(new RangeError("mine")), RangeError),
  ];
  for (const leave of leaving) {
    const watch = client.events.watch();
    await watch.next(); // synced
    const next = watch.next();
    await leave(watch);
    assert.deepEqual(await next, { done: true, value: { reason: "cancelled" } });
    assert.equal((await client.sidecar.status()).counters.watches, 0);
  }
});

test("destroying a stream of a watch ends the watch", async (t) => {
  const client = await spawn(t);
  for (const error of [undefined, new RangeError("mine")]) {
    const stream = Readable.from(client.events.watch());
    await once(stream, "data");
    await awaitOpen(client, 0, 1);
    stream.once("error", () => {});
    stream.destroy(error);
    await awaitOpen(client, 0, 0);
  }
});

test("an abort ends the watch with an AbortError", async (t) => {
  const client = await spawn(t);
  const abort = new AbortController();
  const watch = client.events.watch({}, { signal: abort.signal });
  await watch.next(); // synced
  const next = watch.next();
  abort.abort("enough");
  const error = await rejection(next, AbortError);
  assert.deepEqual(
    [error.name, error.kind, error.cause],
    ["AbortError", "request_cancelled", "enough"],
  );
  assert.equal((await client.sidecar.status()).counters.watches, 0);
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
});

test("an abort between two notifications ends the watch and drops unread ones", async (t) => {
  const client = await spawn(t);
  const abort = new AbortController();
  for (const name of ["a", "b"]) await client.events.create({ runName: "r1", name });
  const watch = client.events.watch({}, { signal: abort.signal });
  await watch.next();
  abort.abort();
  await rejection(watch.next(), AbortError);
});

test("a watch whose signal is already aborted sends nothing", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const watch = client.events.watch({}, { signal: AbortSignal.abort() });
  await rejection(watch.next(), AbortError);
  void client.sidecar.status();
  assert.equal((await fake.receive()).method, "sidecar.status");
});

test("a watch returns its result", async (t) => {
  const client = await spawn(t);
  const watch = client.events.watch({ watch: "mine" });
  await watch.next();
  assert.equal(await client.events.unwatch({ watch: "mine" }), null);
  assert.deepEqual(await watch.next(), { done: true, value: { reason: "cancelled" } });
});

test("closing the client ends its watches", async (t) => {
  const client = await spawn(t);
  const watch = client.events.watch();
  await watch.next();
  await client.close();
  const { done, value } = await watch.next();
  assert.deepEqual([done, value && "reason" in value], [true, true]);
});

test("an error of the sidecar is thrown by the loop", async (t) => {
  const client = await spawn(t);
  const watch = client.events.watch({ timeoutSeconds: 0.01 });
  async function loop(): Promise<void> {
    for await (const _ of watch);
  }
  assert.equal((await rejection(loop(), RequestError)).kind, "deadline_exceeded");
});

test("each watch gets its own notifications", async (t) => {
  const client = await spawn(t);
  const watches = ["r1", "r2", "r3"].map((runName) => client.events.watch({ runName }));
  await Promise.all(watches.map((watch) => watch.next()));
  await awaitOpen(client, 0, 3);
  const next = watches.map((watch) => watch.next());
  for (const runName of ["r3", "r2", "r1"]) await client.events.create({ runName, name: "deploy" });
  assert.deepEqual(
    (await Promise.all(next)).map(({ value }) => value && "method" in value && run(value)),
    ["r1", "r2", "r3"],
  );
  await Promise.all(watches.map((watch) => watch.return({ reason: "left" })));
  await awaitOpen(client, 0, 0);
});

test("a name belongs to one open watch at a time", async (t) => {
  const client = await spawn(t);
  const first = client.events.watch({ watch: "w1" });
  await first.next();
  const named = client.events.watch({ watch: "w1" });
  await rejection(named.next(), TypeError);
  const unnamed = client.events.watch();
  assert.notEqual(((await unnamed.next()).value as WatchNotification).params.watch, "w1");
  await unnamed.return({ reason: "left" });
  await first.return({ reason: "left" });
  const again = client.events.watch({ watch: "w1" });
  assert.equal((await again.next()).done, false);
  await again.return({ reason: "left" });
});

test("a watch sends nothing before the first next()", async () => {
  const { fake, client } = await FakeSidecar.attach();
  client.events.watch();
  void client.sidecar.status();
  assert.equal((await fake.receive()).method, "sidecar.status");
});

const COALESCED: [about: string, received: string[], read: string[]][] = [
  [
    "a later state replaces an unread one",
    ["updated a", "updated b", "updated a"],
    ["updated a 3", "updated b 2"],
  ],
  [
    "an unread created event stays created",
    ["created a", "updated a", "resolved a"],
    ["created a 3"],
  ],
  [
    "an unread event that was removed again is dropped",
    ["created a", "created b", "removed a"],
    ["created b 2"],
  ],
  [
    "an unread removed event that was created again is updated",
    ["removed a", "created a"],
    ["updated a 2"],
  ],
  ["an unread resolved event stays resolved", ["resolved a", "updated a"], ["resolved a 2"]],
  ["otherwise the later change counts", ["updated a", "resolved a", "removed a"], ["removed a 3"]],
  ["an unknown change is kept", ["updated a", "renamed a"], ["renamed a 2"]],
  [
    "of disconnects and resyncs the last counts",
    ["disconnected", "updated a", "resynced", "disconnected", "resynced", "updated a"],
    ["updated a 6", "resynced 5"],
  ],
  [
    "synced keeps its position",
    ["created a", "synced", "created b", "updated a"],
    ["created a 4", "synced 2", "created b 3"],
  ],
];

for (const [about, received, read] of COALESCED) {
  test(`coalescing: ${about}`, async () => {
    const { fake, client } = await FakeSidecar.attach();
    const { watch, request } = await openWatch(fake, client);
    fake.send(...received.map((line, index) => notification(line, index + 1)));
    await fake.flush(client);
    fake.send({ id: request.id ?? null, result: { reason: "finished" } });
    const lines: string[] = [];
    for await (const notification of watch) lines.push(describe(notification));
    assert.deepEqual(lines, read);
  });
}

test("notifications of one chunk are coalesced before the reader runs", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const { watch } = await openWatch(fake, client);
  const next = watch.next();
  fake.send(...Array.from({ length: 100 }, (_, i) => notification("updated a", i + 1)));
  assert.equal(describe((await next).value as WatchNotification), "updated a 100");
});

test("disconnects and resyncs of different backends are not coalesced", () => {
  const queue = new NotificationQueue();
  const notifications = [
    { method: "events.disconnected", params: { watch: "w1", sequence: 1, backend: "flyte" } },
    { method: "events.disconnected", params: { watch: "w1", sequence: 2, backend: "local" } },
    { method: "events.resynced", params: { watch: "w1", sequence: 3, backend: "flyte" } },
  ];
  for (const notification of notifications) queue.add(notification as WatchNotification);
  assert.deepEqual(
    [queue.shift(), queue.shift(), queue.shift()],
    [...notifications.slice(1), undefined],
  );
});

test("of unknown notifications of one kind the latest is kept", () => {
  const queue = new NotificationQueue();
  const notifications = ["paused 1", "renamed 2", "paused 3"].map((line) => {
    const [what, sequence] = line.split(" ");
    return { method: `events.${what}`, params: { watch: "w1", sequence: Number(sequence) } };
  });
  for (const notification of notifications) queue.add(notification as WatchNotification);
  assert.deepEqual(
    [queue.shift(), queue.shift(), queue.shift()],
    [...notifications.slice(1), undefined],
  );
});

test("unread notifications use bounded memory and block no other call", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const { watch, request } = await openWatch(fake, client);
  for (let round = 0; round < 1000; round += 1) {
    fake.send(...["a", "b", "c"].map((name, i) => notification(`updated ${name}`, 3 * round + i)));
  }
  await fake.flush(client);
  fake.send({ id: request.id ?? null, result: { reason: "finished" } });
  let count = 0;
  for await (const _ of watch) count += 1;
  assert.equal(count, 3);
});

test("events with the same name in other runs and scopes are not coalesced", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const { watch, request } = await openWatch(fake, client);
  for (const member of ["org", "project", "domain", "runName", "actionName"]) {
    const message = notification("updated a", 1);
    message.params.event[member] = "other";
    fake.send(message);
  }
  fake.send({ id: request.id ?? null, result: { reason: "finished" } });
  let count = 0;
  for await (const _ of watch) count += 1;
  assert.equal(count, 5);
});

test("unknown messages are ignored", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const { watch, request } = await openWatch(fake, client);
  fake.send(
    { method: "events.renamed", params: { watch: "w1", sequence: 1 } },
    { method: "window/logMessage", params: { type: 4, message: "hello" } },
    {
      method: "events.changed",
      params: { watch: "w9", sequence: 1, change: "created", event: {} },
    },
    { method: "events.changed" },
    { method: "events.changed", params: { watch: "w1", sequence: 1, change: "created" } },
    { method: "$/progress" },
    notification("renamed a", 2),
    { id: 99, result: null },
    { id: null, error: { code: -32700, message: "?" } },
    { id: request.id ?? null, result: { reason: "unknown", more: true } },
  );
  assert.equal(describe((await watch.next()).value as WatchNotification), "renamed a 2");
  assert.deepEqual((await watch.next()).value, { reason: "unknown", more: true });
});

/** Opens a watch and reads its first notification. */
async function openWatch(fake: FakeSidecar, client: Client) {
  const watch = client.events.watch();
  const first = watch.next();
  const request = await fake.receive();
  fake.send(notification("synced", 0));
  await first;
  return { watch, request };
}

function notification(line: string, sequence: number): Message {
  const [what = "", name] = line.split(" ");
  const params = { watch: "w1", sequence };
  if (name === undefined) return { method: `events.${what}`, params };
  const event = { org: null, project: "p", domain: "d", runName: "r", actionName: name, name };
  return { method: "events.changed", params: { ...params, change: what, event } };
}

function describe({ method, params }: WatchNotification): string {
  if (method !== "events.changed") return `${method.slice("events.".length)} ${params.sequence}`;
  return `${params.change} ${params.event.name} ${params.sequence}`;
}

function run(notification: WatchNotification): string {
  return notification.method === "events.changed"
    ? notification.params.event.runName
    : notification.method;
}
