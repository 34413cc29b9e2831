import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { Client, SpawnError } from "flyte-sidecar";
import { rejection, store } from "./real-sidecar.mjs";

test("the option selects the command, else FLYTE_SIDECAR, else the PATH", async (t) => {
  const args = await store(t);
  const path = process.env.PATH ?? "";
  const folder =
    path.split(delimiter).find((each) => existsSync(join(each, "flyte-sidecar"))) ?? "";
  const command = join(folder, "flyte-sidecar");
  for (const options of [
    { command, env: { PATH: "/none", FLYTE_SIDECAR: "/no/such/sidecar" } },
    { env: { PATH: "/none", FLYTE_SIDECAR: command } },
    { env: { PATH: path, FLYTE_SIDECAR: "flyte-sidecar" } },
    { env: { PATH: path, FLYTE_SIDECAR: "" } },
  ]) {
    await (await Client.spawn({ ...options, args })).close();
  }
});

test("the variable of this process selects the command", async (t) => {
  const before = process.env.FLYTE_SIDECAR;
  process.env.FLYTE_SIDECAR = "/no/such/sidecar";
  t.after(() => {
    if (before === undefined) delete process.env.FLYTE_SIDECAR;
    else process.env.FLYTE_SIDECAR = before;
  });
  const error = await rejection(Client.spawn(), SpawnError);
  assert.match(
    error.message,
    /^cannot spawn "\/no\/such\/sidecar": .*; FLYTE_SIDECAR selects it; /,
  );
});

test("a missing command rejects with an error that names what was tried, and how to install it", async () => {
  for (const [options, tried] of [
    [{ command: "none" }, '"none": spawn none ENOENT; the option `command` selects it'],
    [{ env: { FLYTE_SIDECAR: "none" } }, '"none": spawn none ENOENT; FLYTE_SIDECAR selects it'],
    [
      { env: { PATH: "/none" } },
      '"flyte-sidecar": spawn flyte-sidecar ENOENT; neither the option `command` nor FLYTE_SIDECAR' +
        " is set, so it is searched on the PATH",
    ],
  ] as const) {
    const error = await rejection(Client.spawn(options), SpawnError);
    assert.equal(error.kind, "spawn_failed");
    assert.equal(
      error.message,
      `cannot spawn ${tried}; install flyte-sidecar with \`uv tool install flyte-sidecar\`,` +
        " `pipx install flyte-sidecar` or `pip install flyte-sidecar`",
    );
    assert.equal((error.cause as NodeJS.ErrnoException).code, "ENOENT");
  }
});
