import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import {
  Client,
  DisconnectedError,
  IncompatibleError,
  PROTOCOL_VERSION,
  RequestError,
} from "flyte-sidecar";
import { compare } from "../dist/compatibility.js";
import { Connection } from "../dist/connection.js";
import { streams } from "../dist/process.js";
import { HELLO, Player } from "./player.mjs";
import { failure } from "./sidecar.mjs";

const require = createRequire(import.meta.url);

for (const [protocolVersion, advice] of [
  ["2.0", /speaks protocol 2\.0, .* protocol [\d.]+: upgrade this package/],
  ["0.9", /speaks protocol 0\.9, .* protocol [\d.]+: upgrade the sidecar/],
] as const) {
  test(`a sidecar of protocol ${protocolVersion} is refused, and ended`, async () => {
    const player = new Player();
    const opening = Client.attach(player);
    player.endWithInput();
    await player.answer("initialize", { ...HELLO, protocolVersion });
    const error = await failure(opening, IncompatibleError);
    assert.equal(error.kind, "incompatible");
    assert.match(error.message, advice);
    assert.ok(player.output.readableEnded);
  });
}

for (const hello of [null, "hello", {}, { ...HELLO, protocolVersion: 1 }]) {
  test(`what answers ${JSON.stringify(hello)?.slice(0, 20)} is no sidecar`, async () => {
    const player = new Player();
    const opening = Client.attach(player);
    await player.answer("initialize", hello);
    const error = await failure(opening, DisconnectedError);
    assert.equal(error.message, "what answers is not a flyte-sidecar");
    assert.ok(player.input.destroyed && player.output.destroyed);
  });
}

test("a newer minor version is welcome, with all that it has more", async () => {
  const hello = { ...HELLO, protocolVersion: "1.7", backend: { kind: "new" }, more: [1] };
  const { player, client } = await Player.meet(hello);
  assert.equal(client.mismatch, undefined);
  assert.deepEqual(client.server, hello);
  const call = client.events.get({ runName: "r1", name: "deploy" });
  const event = { phase: "DREAMING", expectedType: "date", payload: "2026-01-02", more: {} };
  await player.answer("events.get", event);
  assert.deepEqual(await call, event);
  const refused = client.events.get({ runName: "r1", name: "deploy" });
  await player.refuse(1099, "no", { kind: "too_late", retryable: false, by: 3 });
  const error = await failure(refused, RequestError);
  assert.deepEqual(
    [error.kind, error.data],
    ["too_late", { kind: "too_late", retryable: false, by: 3 }],
  );
});

test("a sidecar that is older shows, and breaks nothing", () => {
  const older = compare({ ...HELLO, protocolVersion: "1.1" }, "1.2");
  assert.equal(older, "the sidecar (0.1.0, protocol 1.1) is older than this client (protocol 1.2)");
  assert.equal(compare({ ...HELLO, protocolVersion: "1.10" }, "1.9"), undefined);
});

test("a known method that an older sidecar lacks is told as a matter of versions", async () => {
  const player = new Player();
  const connection = new Connection(streams(player.input, player.output));
  async function lacking(method: string): Promise<string> {
    const call = connection.request(method, {});
    await player.refuse(-32601, "there is no method", { kind: "method_not_found" });
    return (await failure(call, RequestError)).message;
  }
  assert.equal(await lacking("events.pending"), "there is no method");
  connection.mismatch = compare({ ...HELLO, protocolVersion: "1.1" }, "1.2");
  assert.match(
    await lacking("events.pending"),
    /^the sidecar \(0\.1\.0, protocol 1\.1\) is older .* lacks events\.pending$/,
  );
  assert.equal(await lacking("events.approve"), "there is no method");
});

test("params that an older sidecar does not know are told as a matter of versions", async () => {
  const player = new Player();
  const connection = new Connection(streams(player.input, player.output));
  connection.mismatch = compare({ ...HELLO, protocolVersion: "1.0" }, "1.1");
  const call = connection.request("events.wait", { awaitCreation: true });
  const data = { kind: "invalid_params", retryable: false, path: "/awaitCreation" };
  await player.refuse(-32602, "there is no param awaitCreation", data);
  const { message, kind } = await failure(call, RequestError);
  assert.match(
    message,
    /^there is no param awaitCreation \(the sidecar .*1\.0\) is older .*1\.1\)\)$/,
  );
  assert.equal(kind, "invalid_params");
});

test("a line that does not end is given up", async () => {
  const player = new Player();
  const opening = failure(Client.attach(player), DisconnectedError);
  const chunk = Buffer.alloc(1024 * 1024, " ");
  player.input.write("{");
  for (let count = 0; count < 257 && !player.input.destroyed; count += 1) {
    await new Promise((resolve) => player.input.write(chunk, resolve));
  }
  assert.match((await opening).message, /a line is longer than 268435456 bytes$/);
});

test("a sidecar that asks and does not read is not answered for ever", async () => {
  const player = new Player();
  player.output.pause();
  const connection = new Connection(streams(player.input, player.output));
  for (let id = 0; id < 10_000; id += 1) player.send({ id, method: "window/showMessageRequest" });
  const last = connection.request("x", {});
  player.send({ id: 0, result: "answered" });
  assert.equal(await last, "answered");
  assert.ok(player.output.writableLength + player.output.readableLength < 100_000);
});

test("an error that tells no kind is an error of an unknown kind", async () => {
  const { player, client } = await Player.meet();
  for (const data of [undefined, null, "details", ["details"], { kind: 5 }]) {
    const call = client.sidecar.status();
    await player.refuse(-32603, "oops", data);
    const error = await failure(call, RequestError);
    assert.deepEqual([error.kind, error.code, error.message], ["unknown", -32603, "oops"]);
    assert.deepEqual(error.data, { kind: "unknown", retryable: false });
  }
});

test("an error beside a result of null is an error", async () => {
  const { player, client } = await Player.meet();
  const call = client.sidecar.status();
  const { id = null } = await player.receive();
  player.send({ id, result: null, error: { code: -32603, message: "oops" } });
  await failure(call, RequestError);
});

test("answers to nothing are passed over, and the first of two is the answer", async () => {
  const { player, client } = await Player.meet();
  const call = client.sidecar.status();
  const { id = null } = await player.receive();
  player.send(
    { id: String(id), result: "a string" },
    { id: Number(id) + 0.5, result: "a fraction" },
    { id: null, error: { code: -32700, message: "?" } },
    { id: null, error: { code: -32700, message: "?" } },
    {},
    { id, result: "first" },
    { id, result: "second" },
    { method: "$/cancelRequest", params: { id } },
  );
  assert.equal(await call, "first");
  await player.handled(client);
  player.endWithInput();
  await client.close();
});

test("a request from the sidecar is refused once", async () => {
  const { player, client } = await Player.meet();
  player.send({ id: "s1", method: "window/showMessageRequest", params: {} });
  const { id, error } = await player.receive();
  assert.deepEqual([id, (error as { code: number }).code], ["s1", -32601]);
  await player.handled(client);
  assert.deepEqual(player.lines, []);
});

test("requests from the sidecar may even share an id", async () => {
  const { player, client } = await Player.meet();
  player.send({ id: 7, method: "x/y" }, { id: 7, method: "x/y" }, { id: null, method: "x/z" });
  const ids = [await player.receive(), await player.receive(), await player.receive()];
  assert.deepEqual(
    ids.map(({ id }) => id),
    [7, 7, null],
  );
  player.endWithInput();
  await client.close();
});

test("the client says who it is, and whose end it awaits", async () => {
  const player = new Player();
  void Client.attach(player).catch(() => {});
  const { method, params } = await player.answer("initialize", HELLO);
  assert.equal(method, "initialize");
  assert.equal(params.processId, null);
  assert.equal(params.clientInfo.version, require("flyte-sidecar/package.json").version);
  const { method: next, params: none } = await player.receive();
  assert.deepEqual([next, none], ["initialized", undefined]);
  assert.match(PROTOCOL_VERSION, /^\d+\.\d+$/);
});

for (const [about, text] of [
  ["not JSON", "Welcome!\n"],
  ["not JSON and has no end", "Welcome!"],
  ["broken JSON", '{"jsonrpc": "2.0", "id"\n'],
  ["other JSON", "[1, 2]\n"],
  ["a log in JSON", '{"level": "info"}\n'],
  ["in LSP's framing", "Content-Length: 2\r\n\r\n{}"],
]) {
  test(`output that is ${about} is refused in words that show it`, async () => {
    const player = new Player();
    const opening = Client.attach(player);
    player.input.write(text);
    const error = await failure(opening, DisconnectedError);
    assert.match(error.message, /^the sidecar's output cannot be read: it is not JSON-RPC: "/);
    assert.ok(player.input.destroyed && player.output.destroyed);
  });
}

test("an answer that holds neither a result nor an error is refused", async () => {
  const { player, client } = await Player.meet();
  const call = client.sidecar.status();
  const { id = null } = await player.receive();
  player.send({ id });
  await failure(call, DisconnectedError);
});
