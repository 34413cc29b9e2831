import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { test } from "node:test";
import { AbortError, type Client, type Notice, RequestError } from "flyte-sidecar";
import { Unread } from "../dist/unread.js";
import { type Message, Player } from "./player.mjs";
import { busy, failure, spawn } from "./sidecar.mjs";

test("a watch tells what stands, then what changes, and answers from within the loop", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "deploy" });
  const told: string[] = [];
  for await (const notice of client.events.watch({ runName: "r1" })) {
    if (notice.method === "events.changed") {
      const { change, event } = notice.params;
      told.push(`${change} ${event.name}`);
      if (event.pending)
        await client.events.signal({ runName: "r1", name: event.name, payload: true });
      else if (event.name === "deploy") await client.events.create({ runName: "r1", name: "undo" });
      else break;
    } else told.push(notice.method);
  }
  assert.deepEqual(
    told.filter((line) => line !== "events.synced"),
    ["created deploy", "resolved deploy", "created undo", "resolved undo"],
  );
  assert.ok(told.includes("events.synced"));
});

test("leaving the loop ends the watch on the sidecar before the loop is left", async (t) => {
  const client = await spawn(t);
  for await (const _ of client.events.watch()) break;
  assert.equal((await client.sidecar.status()).counters.watches, 0);
});

test("an error in the loop ends the watch and is thrown on", async (t) => {
  const client = await spawn(t);
  async function loop(): Promise<void> {
    for await (const _ of client.events.watch()) throw new RangeError("mine");
  }
  await failure(loop(), RangeError);
  assert.equal((await client.sidecar.status()).counters.watches, 0);
});

test("a watch that is left while its next notice is awaited ends at once", async (t) => {
  const client = await spawn(t);
  const leaving: ((watch: ReturnType<Client["events"]["watch"]>) => Promise<unknown>)[] = [
    (watch) => watch.return({ reason: "left" }),
    (watch) => failure(watch.throw(new RangeError("mine")), RangeError),
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

test("a stream of a watch ends it when it is destroyed", async (t) => {
  const client = await spawn(t);
  for (const error of [undefined, new RangeError("mine")]) {
    const stream = Readable.from(client.events.watch());
    await once(stream, "data");
    await busy(client, 0, 1);
    stream.once("error", () => {});
    stream.destroy(error);
    await busy(client, 0, 0);
  }
});

test("an abort ends the watch with an AbortError", async (t) => {
  const client = await spawn(t);
  const abort = new AbortController();
  const watch = client.events.watch({}, { signal: abort.signal });
  await watch.next(); // synced
  const next = watch.next();
  abort.abort("enough");
  const error = await failure(next, AbortError);
  assert.deepEqual(
    [error.name, error.kind, error.cause],
    ["AbortError", "request_cancelled", "enough"],
  );
  assert.equal((await client.sidecar.status()).counters.watches, 0);
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
});

test("an abort between two notices ends the watch, whatever is unread", async (t) => {
  const client = await spawn(t);
  const abort = new AbortController();
  for (const name of ["a", "b"]) await client.events.create({ runName: "r1", name });
  const watch = client.events.watch({}, { signal: abort.signal });
  await watch.next();
  abort.abort();
  await failure(watch.next(), AbortError);
});

test("a watch whose signal is aborted already sends nothing", async () => {
  const { player, client } = await Player.meet();
  const watch = client.events.watch({}, { signal: AbortSignal.abort() });
  await failure(watch.next(), AbortError);
  void client.sidecar.status();
  assert.equal((await player.receive()).method, "sidecar.status");
});

test("a watch that ends by itself gives its result", async (t) => {
  const client = await spawn(t);
  const watch = client.events.watch({ watch: "mine" });
  await watch.next();
  assert.equal(await client.events.unwatch({ watch: "mine" }), null);
  assert.deepEqual(await watch.next(), { done: true, value: { reason: "cancelled" } });
});

test("closing the client finishes its watches", async (t) => {
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
  assert.equal((await failure(loop(), RequestError)).kind, "deadline_exceeded");
});

test("several watches are each told their own", async (t) => {
  const client = await spawn(t);
  const watches = ["r1", "r2", "r3"].map((runName) => client.events.watch({ runName }));
  await Promise.all(watches.map((watch) => watch.next()));
  await busy(client, 0, 3);
  const next = watches.map((watch) => watch.next());
  for (const runName of ["r3", "r2", "r1"]) await client.events.create({ runName, name: "deploy" });
  assert.deepEqual(
    (await Promise.all(next)).map(({ value }) => value && "method" in value && run(value)),
    ["r1", "r2", "r3"],
  );
  await Promise.all(watches.map((watch) => watch.return({ reason: "left" })));
  await busy(client, 0, 0);
});

test("a name is given to one open watch at a time", async (t) => {
  const client = await spawn(t);
  const first = client.events.watch({ watch: "w1" });
  await first.next();
  const named = client.events.watch({ watch: "w1" });
  await failure(named.next(), TypeError);
  const unnamed = client.events.watch();
  assert.notEqual(((await unnamed.next()).value as Notice).params.watch, "w1");
  await unnamed.return({ reason: "left" });
  await first.return({ reason: "left" });
  const again = client.events.watch({ watch: "w1" });
  assert.equal((await again.next()).done, false);
  await again.return({ reason: "left" });
});

test("a watch that was made and not begun sends nothing", async () => {
  const { player, client } = await Player.meet();
  client.events.watch();
  void client.sidecar.status();
  assert.equal((await player.receive()).method, "sidecar.status");
});

const FOLDS: [about: string, told: string[], read: string[]][] = [
  [
    "the newest state takes the place of an unread one",
    ["updated a", "updated b", "updated a"],
    ["updated a 3", "updated b 2"],
  ],
  [
    "what was created unread stays created",
    ["created a", "updated a", "resolved a"],
    ["created a 3"],
  ],
  [
    "what came and went unread is not told",
    ["created a", "created b", "removed a"],
    ["created b 2"],
  ],
  ["what went and came again unread was updated", ["removed a", "created a"], ["updated a 2"]],
  ["what was resolved unread stays resolved", ["resolved a", "updated a"], ["resolved a 2"]],
  ["else the newer change is told", ["updated a", "resolved a", "removed a"], ["removed a 3"]],
  ["a change that is not known is told as it is", ["updated a", "renamed a"], ["renamed a 2"]],
  [
    "of losses and returns of the backend the last is told",
    ["disconnected", "updated a", "resynced", "disconnected", "resynced", "updated a"],
    ["updated a 6", "resynced 5"],
  ],
  [
    "synced is told once, at its place",
    ["created a", "synced", "created b", "updated a"],
    ["created a 4", "synced 2", "created b 3"],
  ],
];

for (const [about, told, read] of FOLDS) {
  test(`of unread notices ${about}`, async () => {
    const { player, client } = await Player.meet();
    const { watch, request } = await begin(player, client);
    player.send(...told.map((line, index) => notification(line, index + 1)));
    await player.handled(client);
    player.send({ id: request.id ?? null, result: { reason: "finished" } });
    const lines: string[] = [];
    for await (const notice of watch) lines.push(describe(notice));
    assert.deepEqual(lines, read);
  });
}

test("what comes at once is folded before its reader runs", async () => {
  const { player, client } = await Player.meet();
  const { watch } = await begin(player, client);
  const next = watch.next();
  player.send(...Array.from({ length: 100 }, (_, i) => notification("updated a", i + 1)));
  assert.equal(describe((await next).value as Notice), "updated a 100");
});

test("of notices of a kind that folds in no way known here the newest is kept", () => {
  const unread = new Unread();
  const notices = ["paused 1", "renamed 2", "paused 3"].map((line) => {
    const [what, sequence] = line.split(" ");
    return { method: `events.${what}`, params: { watch: "w1", sequence: Number(sequence) } };
  });
  for (const notice of notices) unread.add(notice as Notice);
  assert.deepEqual([unread.take(), unread.take(), unread.take()], [...notices.slice(1), undefined]);
});

test("unread notices do not pile up, and other calls are answered meanwhile", async () => {
  const { player, client } = await Player.meet();
  const { watch, request } = await begin(player, client);
  for (let round = 0; round < 1000; round += 1) {
    player.send(
      ...["a", "b", "c"].map((name, i) => notification(`updated ${name}`, 3 * round + i)),
    );
  }
  await player.handled(client);
  player.send({ id: request.id ?? null, result: { reason: "finished" } });
  let count = 0;
  for await (const _ of watch) count += 1;
  assert.equal(count, 3);
});

test("events of the same name in other runs and places are not folded", async () => {
  const { player, client } = await Player.meet();
  const { watch, request } = await begin(player, client);
  for (const member of ["org", "project", "domain", "runName", "actionName"]) {
    const message = notification("updated a", 1);
    message.params.event[member] = "other";
    player.send(message);
  }
  player.send({ id: request.id ?? null, result: { reason: "finished" } });
  let count = 0;
  for await (const _ of watch) count += 1;
  assert.equal(count, 5);
});

test("what a client does not know of is passed over", async () => {
  const { player, client } = await Player.meet();
  const { watch, request } = await begin(player, client);
  player.send(
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
    { id: request.id ?? null, result: { reason: "weary", more: true } },
  );
  assert.equal(describe((await watch.next()).value as Notice), "renamed a 2");
  assert.deepEqual((await watch.next()).value, { reason: "weary", more: true });
});

/** Begins a watch that tells of nothing yet but that it was begun. */
async function begin(player: Player, client: Client) {
  const watch = client.events.watch();
  const first = watch.next();
  const request = await player.receive();
  player.send(notification("synced", 0));
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

function describe({ method, params }: Notice): string {
  if (method !== "events.changed") return `${method.slice("events.".length)} ${params.sequence}`;
  return `${params.change} ${params.event.name} ${params.sequence}`;
}

function run(notice: Notice): string {
  return notice.method === "events.changed" ? notice.params.event.runName : notice.method;
}
