import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExpectedType, Payload } from "flyte-sidecar";
import { FakeSidecar } from "./fake-sidecar.mjs";
import { rejection, spawn } from "./real-sidecar.mjs";

const KEPT: [ExpectedType, Payload][] = [
  ["bool", true],
  ["int", 0],
  ["int", -3],
  ["int", Number.MAX_SAFE_INTEGER],
  ["int", 2n ** 53n],
  ["int", 2n ** 53n + 1n],
  ["int", 2n ** 63n - 1n],
  ["int", -(2n ** 63n)],
  ["float", 0.5],
  ["float", 3],
  ["float", 2 ** 60],
  ["float", -1e21],
  ["float", 5e-324],
  ["float", Number.MAX_VALUE],
  ["float", Number.NaN],
  ["float", Number.POSITIVE_INFINITY],
  ["float", Number.NEGATIVE_INFINITY],
  ["str", ""],
  ["str", "NaN"],
  ["str", "123"],
  ["str", "9007199254740993"],
  ["str", "true"],
  ["str", 'Größe 大小 🚀 "}\u2028\n'],
];

test("every payload round-trips", async (t) => {
  const client = await spawn(t);
  for (const [index, [expectedType, payload]] of KEPT.entries()) {
    const target = { runName: "r1", name: `e${index}` };
    await client.events.create({ ...target, expectedType });
    const answered = await client.events.signal({ ...target, payload });
    assert.deepEqual(answered.payload, payload);
    assert.deepEqual((await client.events.get(target))?.payload, payload);
  }
});

test("a small bigint is returned as a number, and a float keeps the sign of zero", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "int", expectedType: "int" });
  const small = await client.events.signal({ runName: "r1", name: "int", payload: 7n });
  assert.equal(small.payload, 7);
  await client.events.create({ runName: "r1", name: "zero", expectedType: "float" });
  const zero = { runName: "r1", name: "zero", payload: -0 };
  assert.ok(Object.is((await client.events.signal(zero)).payload, -0));
});

test("a number that may have lost digits does not answer an int event", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "int", expectedType: "int" });
  const call = client.events.signal({ runName: "r1", name: "int", payload: 2 ** 53 + 2 });
  await assert.rejects(call, { kind: "payload_type_mismatch" });
});

test("payloads are encoded as JSON that keeps their type", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const written: [object, string][] = [
    [{ payload: 2n ** 64n }, '{"payload":18446744073709551616}'],
    [{ a: 1, payload: -5n, b: null }, '{"a":1,"b":null,"payload":-5}'],
    [{ payload: 2 ** 60 }, '{"payload":1.152921504606847e+18}'],
    [{ payload: 3 }, '{"payload":3}'],
    [{ payload: -0 }, '{"payload":-0}'],
    [{ payload: Number.NaN }, '{"payloadType":"float","payload":"NaN"}'],
    [{ payload: Number.NaN, payloadType: "str" }, '{"payloadType":"str","payload":"NaN"}'],
    [{ payload: '1,"payload":2n' }, String.raw`{"payload":"1,\"payload\":2n"}`],
    [{ payload: "NaN" }, '{"payload":"NaN"}'],
    [{ payload: null }, '{"payload":null}'],
  ];
  for (const [params, json] of written) {
    void client.request("events.signal", params);
    const line = await fake.line();
    assert.ok(line.endsWith(`"method":"events.signal","params":${json}}`), line);
  }
});

test("params are encoded at the time of the call", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const params = { runName: "r1", name: "before", payload: 1n };
  void client.events.signal(params);
  params.name = "after";
  assert.equal((await fake.receive()).params.name, "before");
});

test("a bigint outside the payload is a TypeError, and nothing is sent", async () => {
  const { fake, client } = await FakeSidecar.attach();
  await rejection(client.request("sidecar.status", { timeoutSeconds: 5n }), TypeError);
  void client.sidecar.status();
  assert.deepEqual((await fake.receive()).params, undefined);
});

test("params that are not an object are a TypeError, and nothing is sent", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const none = { toJSON: () => undefined };
  for (const params of [null, 5, "r1", [], () => {}, none] as object[]) {
    await rejection(client.request("events.list", params), TypeError);
  }
  await rejection(client.events.watch(null as never).next(), TypeError);
  void client.sidecar.status();
  assert.equal((await fake.receive()).method, "sidecar.status");
});

test("payloads are converted in every event of a result or error", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const event = { expectedType: "int", payload: "9007199254740993", later: { nested: [] } };
  const converted = { ...event, payload: 9007199254740993n };
  const call = client.request("events.some", {});
  await fake.respond("events.some", { of: [{ event }], expectedType: "int", payload: null });
  assert.deepEqual(await call, { of: [{ event: converted }], expectedType: "int", payload: null });
  const rejected = client.request("events.some", {});
  await fake.respondError(1004, "several", { kind: "ambiguous_event", candidates: [event] });
  await assert.rejects(rejected, (error: { data?: { candidates?: unknown } }) => {
    assert.deepEqual(error.data?.candidates, [converted]);
    return true;
  });
});
