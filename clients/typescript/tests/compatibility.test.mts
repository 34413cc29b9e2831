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
import { versionWarning } from "../dist/compatibility.js";
import { Connection } from "../dist/connection.js";
import { streamPeer } from "../dist/process.js";
import { FakeSidecar, INITIALIZE_RESULT } from "./fake-sidecar.mjs";
import { rejection } from "./real-sidecar.mjs";

const require = createRequire(import.meta.url);

for (const [protocolVersion, advice] of [
  ["2.0", /protocol 2\.0\) is incompatible .* protocol [\d.]+\): upgrade this package/],
  ["0.9", /protocol 0\.9\) is incompatible .* protocol [\d.]+\): upgrade the sidecar/],
] as const) {
  test(`a sidecar with protocol ${protocolVersion} rejects with an IncompatibleError`, async () => {
    const fake = new FakeSidecar();
    const opening = Client.attach(fake);
    fake.endWithInput();
    await fake.respond("initialize", { ...INITIALIZE_RESULT, protocolVersion });
    const error = await rejection(opening, IncompatibleError);
    assert.equal(error.kind, "incompatible");
    assert.match(error.message, advice);
    assert.ok(fake.output.readableEnded);
  });
}

for (const result of [null, "hello", {}, { ...INITIALIZE_RESULT, protocolVersion: 1 }]) {
  test(`a server whose initialize returns ${JSON.stringify(result)?.slice(0, 20)} is not a sidecar`, async () => {
    const fake = new FakeSidecar();
    const opening = Client.attach(fake);
    await fake.respond("initialize", result);
    const error = await rejection(opening, DisconnectedError);
    assert.equal(
      error.message,
      "the server is not a flyte-sidecar: it reported no protocol version",
    );
    assert.ok(fake.input.destroyed && fake.output.destroyed);
  });
}

test("a newer minor version and its additions are accepted", async () => {
  const result = {
    ...INITIALIZE_RESULT,
    protocolVersion: "1.7",
    backend: { kind: "new" },
    more: [1],
  };
  const { fake, client } = await FakeSidecar.attach(result);
  assert.equal(client.versionWarning, undefined);
  assert.deepEqual(client.server, result);
  const call = client.events.get({ runName: "r1", name: "deploy" });
  const event = { phase: "DREAMING", expectedType: "date", payload: "2026-01-02", more: {} };
  await fake.respond("events.get", event);
  assert.deepEqual(await call, event);
  const rejected = client.events.get({ runName: "r1", name: "deploy" });
  await fake.respondError(1099, "no", { kind: "too_late", retryable: false, by: 3 });
  const error = await rejection(rejected, RequestError);
  assert.deepEqual(
    [error.kind, error.data],
    ["too_late", { kind: "too_late", retryable: false, by: 3 }],
  );
});

test("an older sidecar results in a warning", () => {
  const older = versionWarning({ ...INITIALIZE_RESULT, protocolVersion: "1.1" }, "1.2");
  assert.equal(older, "the sidecar (0.1.0, protocol 1.1) is older than this client (protocol 1.2)");
  assert.equal(versionWarning({ ...INITIALIZE_RESULT, protocolVersion: "1.10" }, "1.9"), undefined);
});

test("the error for a method that an older sidecar lacks mentions the versions", async () => {
  const fake = new FakeSidecar();
  const connection = new Connection(streamPeer(fake.input, fake.output));
  async function lacking(method: string): Promise<string> {
    const call = connection.request(method, {});
    await fake.respondError(-32601, "there is no method", { kind: "method_not_found" });
    return (await rejection(call, RequestError)).message;
  }
  assert.equal(await lacking("events.pending"), "there is no method");
  connection.versionWarning = versionWarning(
    { ...INITIALIZE_RESULT, protocolVersion: "1.1" },
    "1.2",
  );
  assert.match(
    await lacking("events.pending"),
    /^the sidecar \(0\.1\.0, protocol 1\.1\) is older .* lacks events\.pending$/,
  );
  assert.equal(await lacking("events.approve"), "there is no method");
});

test("the error for params that an older sidecar lacks mentions the versions", async () => {
  const fake = new FakeSidecar();
  const connection = new Connection(streamPeer(fake.input, fake.output));
  connection.versionWarning = versionWarning(
    { ...INITIALIZE_RESULT, protocolVersion: "1.0" },
    "1.1",
  );
  const call = connection.request("events.wait", { awaitCreation: true });
  const data = { kind: "invalid_params", retryable: false, path: "/awaitCreation" };
  await fake.respondError(-32602, "there is no param awaitCreation", data);
  const { message, kind } = await rejection(call, RequestError);
  assert.match(
    message,
    /^there is no param awaitCreation \(the sidecar .*1\.0\) is older .*1\.1\)\)$/,
  );
  assert.equal(kind, "invalid_params");
});

test("a line that is too long ends the connection", async () => {
  const fake = new FakeSidecar();
  const opening = rejection(Client.attach(fake), DisconnectedError);
  const chunk = Buffer.alloc(1024 * 1024, " ");
  fake.input.write("{");
  for (let count = 0; count < 257 && !fake.input.destroyed; count += 1) {
    await new Promise((resolve) => fake.input.write(chunk, resolve));
  }
  assert.match((await opening).message, /a line is longer than 268435456 bytes$/);
});

test("requests of a sidecar that does not read responses are dropped", async () => {
  const fake = new FakeSidecar();
  fake.output.pause();
  const connection = new Connection(streamPeer(fake.input, fake.output));
  for (let id = 0; id < 10_000; id += 1) fake.send({ id, method: "window/showMessageRequest" });
  const last = connection.request("x", {});
  fake.send({ id: 0, result: "answered" });
  assert.equal(await last, "answered");
  assert.ok(fake.output.writableLength + fake.output.readableLength < 100_000);
});

test("an error without a kind has the kind 'unknown'", async () => {
  const { fake, client } = await FakeSidecar.attach();
  for (const data of [undefined, null, "details", ["details"], { kind: 5 }]) {
    const call = client.sidecar.status();
    await fake.respondError(-32603, "oops", data);
    const error = await rejection(call, RequestError);
    assert.deepEqual([error.kind, error.code, error.message], ["unknown", -32603, "oops"]);
    assert.deepEqual(error.data, { kind: "unknown", retryable: false });
  }
});

test("an error next to a null result is an error", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.sidecar.status();
  const { id = null } = await fake.receive();
  fake.send({ id, result: null, error: { code: -32603, message: "oops" } });
  await rejection(call, RequestError);
});

test("unexpected responses are ignored, and the first of two responses counts", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.sidecar.status();
  const { id = null } = await fake.receive();
  fake.send(
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
  await fake.flush(client);
  fake.endWithInput();
  await client.close();
});

test("a request of the sidecar is rejected once", async () => {
  const { fake, client } = await FakeSidecar.attach();
  fake.send({ id: "s1", method: "window/showMessageRequest", params: {} });
  const { id, error } = await fake.receive();
  assert.deepEqual([id, (error as { code: number }).code], ["s1", -32601]);
  await fake.flush(client);
  assert.deepEqual(fake.lines, []);
});

test("requests of the sidecar may share an id", async () => {
  const { fake, client } = await FakeSidecar.attach();
  fake.send({ id: 7, method: "x/y" }, { id: 7, method: "x/y" }, { id: null, method: "x/z" });
  const ids = [await fake.receive(), await fake.receive(), await fake.receive()];
  assert.deepEqual(
    ids.map(({ id }) => id),
    [7, 7, null],
  );
  fake.endWithInput();
  await client.close();
});

test("the client sends its name, its version and its process id", async () => {
  const fake = new FakeSidecar();
  void Client.attach(fake).catch(() => {});
  const { method, params } = await fake.respond("initialize", INITIALIZE_RESULT);
  assert.equal(method, "initialize");
  assert.equal(params.processId, null);
  assert.equal(params.clientInfo.version, require("flyte-sidecar/package.json").version);
  const { method: next, params: none } = await fake.receive();
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
  test(`output that is ${about} rejects with an error that quotes it`, async () => {
    const fake = new FakeSidecar();
    const opening = Client.attach(fake);
    fake.input.write(text);
    const error = await rejection(opening, DisconnectedError);
    assert.match(error.message, /^the sidecar's output is invalid: not JSON-RPC: "/);
    assert.ok(fake.input.destroyed && fake.output.destroyed);
  });
}

test("a response with neither a result nor an error ends the connection", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const call = client.sidecar.status();
  const { id = null } = await fake.receive();
  fake.send({ id });
  await rejection(call, DisconnectedError);
});
