import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { quote } from "../src/shell.ts";

const HOSTILE = [
  "a b",
  "$(id)",
  "`id`",
  "'",
  '"',
  "\\",
  "a;b",
  "*",
  "~",
  "#x",
  "-n",
  "",
  "é",
  "!x",
];

test("a POSIX shell passes every word unchanged", () => {
  const line = quote(["printf", "%s|", ...HOSTILE], "/bin/sh");
  const output = execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" });
  assert.equal(output, HOSTILE.map((word) => `${word}|`).join(""));
});

test("PowerShell calls a quoted program, and doubles all its single quotes", () => {
  const shell = "C:\\Program Files\\PowerShell\\7\\pwsh.exe";
  assert.equal(quote(["C:\\a b\\flyte.exe", "run"], shell), "& 'C:\\a b\\flyte.exe' run");
  assert.equal(quote(["flyte", "it's ‘$x’"], shell), "flyte 'it''s ‘‘$x’’'");
});

test("cmd.exe gets no word that it would expand", () => {
  const shell = "C:\\Windows\\System32\\cmd.exe";
  assert.equal(quote(["C:\\a b\\flyte.exe", "a&b"], shell), '"C:\\a b\\flyte.exe" "a&b"');
  assert.throws(() => quote(["flyte", "%PATH%"], shell), /cannot pass/);
});

test("a control character, which the terminal would run, is rejected", () => {
  assert.throws(() => quote(["flyte", "a\rrm"], "/bin/bash"), /control character/);
});
