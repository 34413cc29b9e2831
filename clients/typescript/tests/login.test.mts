import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { type AuthRequired, Client } from "flyte-sidecar";
import { FakeSidecar, INITIALIZE_RESULT } from "./fake-sidecar.mjs";

const LOGIN: AuthRequired = {
  url: "https://login.example/device",
  userCode: "ABCD",
  message: "open https://login.example/device and enter ABCD",
  expiresAt: "2026-01-02T03:04:05Z",
};

test("a login that a person must finish is passed to the handler", async () => {
  const fake = new FakeSidecar();
  const received = new Promise<AuthRequired>((resolve) => {
    void Client.attach({ ...fake, onAuthRequired: resolve });
  });
  await fake.respond("initialize", INITIALIZE_RESULT);
  fake.send({ method: "sidecar.authRequired", params: LOGIN });
  assert.deepEqual(await received, LOGIN);
});

test("without a handler, its message is a warning of the process", async () => {
  const { fake, client } = await FakeSidecar.attach();
  const warned = once(process, "warning");
  fake.send({ method: "sidecar.authRequired", params: LOGIN });
  const [warning] = await warned;
  assert.equal(warning.message, LOGIN.message);
  const call = client.events.get({ runName: "r1", name: "deploy" });
  await fake.respond("events.get", null);
  assert.equal(await call, null);
});
