import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Client, RequestError } from "flyte-sidecar";
import { FakeSidecar, type Message } from "./fake-sidecar.mjs";

const FOLDER = new URL("../../../sidecar/flyte_sidecar/conformance/recorded/", import.meta.url);
const OPENING = new Set(["initialize", "initialized"]);
const ENDING = new Set(["shutdown", "exit"]);

type Entry = { about: string } | { client: Message } | { sidecar: Message };
// biome-ignore lint/suspicious/noExplicitAny: stubs are looked up by method name
type Stub = (params: unknown, options: { signal: AbortSignal }) => any;
interface Call {
  id: number;
  abort: AbortController;
  outcome: Promise<unknown>;
  notifications?: AsyncIterator<unknown>;
}

for (const name of readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl"))) {
  test(`the client replays ${name}`, () => replay(read(name)));
}

test("there are transcripts", () => {
  assert.ok(readdirSync(FOLDER).length > 0);
});

async function replay(entries: Entry[]): Promise<void> {
  const { fake, client } = await FakeSidecar.attach(
    initializeResultOf(entries) ?? initializeResultOf(read("initialize.jsonl")),
  );
  const calls = new Map<unknown, Call>();
  for (const entry of entries) {
    if ("client" in entry) await replayRequest(entry.client, client, fake, calls);
    if ("sidecar" in entry) await replayMessage(entry.sidecar, fake, calls);
  }
  fake.endWithInput();
  await client.close();
}

async function replayRequest(
  recorded: Message,
  client: Client,
  fake: FakeSidecar,
  calls: Map<unknown, Call>,
): Promise<void> {
  const { method = "", params } = recorded;
  if (OPENING.has(method) || ENDING.has(method)) return;
  if (method === "$/cancelRequest") {
    const call = calls.get(params.id);
    call?.abort.abort();
    const sent = await fake.receive();
    assert.deepEqual([sent.method, sent.params], [method, { id: call?.id }]);
    return;
  }
  const abort = new AbortController();
  const answer = stub(client, method)(params ?? {}, { signal: abort.signal });
  const notifications: AsyncIterator<unknown> | undefined =
    Symbol.asyncIterator in answer && answer;
  const outcome = outcomeOf(notifications ? notifications.next() : answer);
  const sent = await fake.receive();
  assert.deepEqual([sent.method, sent.params], [method, params]);
  calls.set(recorded.id, {
    id: sent.id as number,
    abort,
    outcome,
    ...(notifications && { notifications }),
  });
}

async function replayMessage(
  recorded: Message,
  fake: FakeSidecar,
  calls: Map<unknown, Call>,
): Promise<void> {
  if (recorded.method === undefined) {
    const call = calls.get(recorded.id);
    if (call === undefined) return; // a response to a request of the connection itself
    fake.send({ ...recorded, id: call.id });
    const { error, result } = recorded as { error?: Message; result?: unknown };
    const value = call.notifications ? { done: true, value: result } : result;
    assert.deepEqual(await call.outcome, convert(error ? { error } : { value }));
    return;
  }
  fake.send(recorded);
  const { method, params } = recorded;
  const watching = [...calls.values()].filter((call) => call.notifications);
  assert.equal(watching.length, 1, "a transcript has one watch");
  for (const call of watching) {
    const value = { done: false, value: { method, params } };
    assert.deepEqual(await call.outcome, convert({ value }));
    call.outcome = outcomeOf(call.notifications?.next());
  }
}

/** Returns the outcome of a call in the form of a response. */
function outcomeOf(answer: Promise<unknown> | undefined): Promise<unknown> {
  return Promise.resolve(answer).then(
    (value) => ({ value }),
    (error) => {
      assert.ok(error instanceof RequestError, error);
      assert.equal(error.kind, error.data.kind);
      const name = error.kind === "request_cancelled" ? "AbortError" : "RequestError";
      assert.equal(error.name, name);
      return { error: { code: error.code, message: error.message, data: error.data } };
    },
  );
}

function stub(client: Client, method: string): Stub {
  const [space = "", verb = ""] = method.split(".");
  const methods = (client as unknown as Record<string, Record<string, Stub>>)[space];
  const known = methods?.[verb]?.bind(methods);
  return known ?? ((params, options) => client.request(method, params as object, options));
}

/** Converts payloads to their JavaScript type. */
function convert<Value>(recorded: Value): Value {
  return JSON.parse(JSON.stringify(recorded), (_, value) => {
    if (typeof value?.payload !== "string") return value;
    const { payload, expectedType } = value;
    if (expectedType === "int") return { ...value, payload: BigInt(payload) };
    if (expectedType === "float") return { ...value, payload: Number(payload) };
    return value;
  });
}

function initializeResultOf(entries: Entry[]): unknown {
  const opening = entries.find(
    (entry) => "client" in entry && entry.client.method === "initialize",
  );
  if (opening === undefined || !("client" in opening)) return undefined;
  const { id } = opening.client;
  for (const entry of entries)
    if ("sidecar" in entry && entry.sidecar.id === id) return entry.sidecar.result;
  return undefined;
}

function read(name: string): Entry[] {
  const text = readFileSync(new URL(name, FOLDER), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
