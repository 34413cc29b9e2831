import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExpectedType, Payload } from "flyte-sidecar";
import { Player } from "./player.mjs";
import { failure, spawn } from "./sidecar.mjs";

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

test("every value comes back as it was given", async (t) => {
  const client = await spawn(t);
  for (const [index, [expectedType, payload]] of KEPT.entries()) {
    const target = { runName: "r1", name: `e${index}` };
    await client.events.create({ ...target, expectedType });
    const answered = await client.events.signal({ ...target, payload });
    assert.deepEqual(answered.payload, payload);
    assert.deepEqual((await client.events.get(target))?.payload, payload);
  }
});

test("a small bigint comes back as a number, and the sign of zero is kept for a float", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "int", expectedType: "int" });
  const small = await client.events.signal({ runName: "r1", name: "int", payload: 7n });
  assert.equal(small.payload, 7);
  await client.events.create({ runName: "r1", name: "zero", expectedType: "float" });
  const zero = { runName: "r1", name: "zero", payload: -0 };
  assert.ok(Object.is((await client.events.signal(zero)).payload, -0));
});

test("a number that may have lost digits is no answer to an int event", async (t) => {
  const client = await spawn(t);
  await client.events.create({ runName: "r1", name: "int", expectedType: "int" });
  const call = client.events.signal({ runName: "r1", name: "int", payload: 2 ** 53 + 2 });
  await assert.rejects(call, { kind: "payload_type_mismatch" });
});

test("payloads are written as JSON that keeps their type", async () => {
  const { player, client } = await Player.meet();
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
    const line = await player.line();
    assert.ok(line.endsWith(`"method":"events.signal","params":${json}}`), line);
  }
});

test("what is sent is what was given at the time of the call", async () => {
  const { player, client } = await Player.meet();
  const params = { runName: "r1", name: "before", payload: 1n };
  void client.events.signal(params);
  params.name = "after";
  assert.equal((await player.receive()).params.name, "before");
});

test("a bigint elsewhere is refused, and nothing is sent", async () => {
  const { player, client } = await Player.meet();
  await failure(client.request("sidecar.status", { timeoutSeconds: 5n }), TypeError);
  void client.sidecar.status();
  assert.deepEqual((await player.receive()).params, undefined);
});

test("params that are no object are refused, and nothing is sent", async () => {
  const { player, client } = await Player.meet();
  const none = { toJSON: () => undefined };
  for (const params of [null, 5, "r1", [], () => {}, none] as object[]) {
    await failure(client.request("events.list", params), TypeError);
  }
  await failure(client.events.watch(null as never).next(), TypeError);
  void client.sidecar.status();
  assert.equal((await player.receive()).method, "sidecar.status");
});

test("payloads are typed in whatever an event is told by", async () => {
  const { player, client } = await Player.meet();
  const event = { expectedType: "int", payload: "9007199254740993", later: { nested: [] } };
  const told = { ...event, payload: 9007199254740993n };
  const call = client.request("events.some", {});
  await player.answer("events.some", { of: [{ event }], expectedType: "int", payload: null });
  assert.deepEqual(await call, { of: [{ event: told }], expectedType: "int", payload: null });
  const refused = client.request("events.some", {});
  await player.refuse(1004, "several", { kind: "ambiguous_event", candidates: [event] });
  await assert.rejects(refused, (error: { data?: { candidates?: unknown } }) => {
    assert.deepEqual(error.data?.candidates, [told]);
    return true;
  });
});
