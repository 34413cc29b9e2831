import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { findProgram } from "../src/programs.ts";

let folder: string;
const start = process.cwd();

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "programs-"));
  for (const name of ["program", "text"]) writeFileSync(path.join(folder, name), "");
  chmodSync(path.join(folder, "program"), 0o755);
  process.chdir(folder);
});

after(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

test("a program is found in the first folder of PATH that has it", async () => {
  const searchPath = ["/nowhere", folder].join(path.delimiter);
  assert.equal(await findProgram("program", searchPath), path.join(folder, "program"));
  assert.equal(await findProgram(path.join(folder, "program"), ""), path.join(folder, "program"));
});

test("a file that cannot be executed is no program", async () => {
  assert.equal(await findProgram("text", folder), undefined);
  assert.equal(await findProgram("missing", folder), undefined);
});

test("the current folder, which may be a workspace, is never searched", async () => {
  for (const searchPath of ["", ".", `${path.delimiter}.`, "./"]) {
    assert.equal(await findProgram("program", searchPath), undefined);
  }
  assert.equal(await findProgram("./program", folder), undefined);
});
