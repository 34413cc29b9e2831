import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as imported from "flyte-sidecar";

const require = createRequire(import.meta.url);

test("import and require return the same classes", () => {
  const required = require("flyte-sidecar");
  assert.deepEqual({ ...imported }, { ...required });
  assert.equal(new required.ClosedError() instanceof imported.SidecarError, true);
});

test("errors have their own names, which are not enumerable", () => {
  for (const [name, type] of Object.entries(imported)) {
    if (!name.endsWith("Error")) continue;
    const { prototype } = type as unknown as { prototype: Error };
    assert.equal(prototype.name, name);
    assert.deepEqual(Object.keys(prototype), []);
  }
});
