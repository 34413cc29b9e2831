import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../src/protocol.ts";
import { age, outcome, plain } from "../src/texts.ts";

test("other people's text is neither an icon nor a link", () => {
  assert.equal(plain("$(flame) [x](command:y)"), "$ (flame) [x] (command:y)");
});

test("other people's text is one line without hidden characters", () => {
  assert.equal(plain(" a\n\tb\u2028c\u202e\u200b\u0007 "), "a b c\\u{202e}\\u{200b}\\u{7}");
  assert.equal(plain("👩\u200d🔬"), "👩\u200d🔬");
});

test("a long text is cut", () => {
  assert.equal(plain("x".repeat(300)).length, 200);
  assert.equal(plain("abcdef", 4), "abc…");
});

const event = (members: Partial<Event>) =>
  ({ createdAt: null, expiresAt: null, payload: null, ...members }) as Event;

test("ages are in the largest unit", () => {
  const createdAt = "2026-01-01T00:00:00Z";
  const after = (seconds: number) =>
    age(event({ createdAt }), Date.parse(createdAt) + seconds * 1e3);
  assert.deepEqual([0, 59, 60, 3599, 3600, 47 * 3600, 48 * 3600].map(after), [
    "now",
    "now",
    "1 min",
    "59 min",
    "1 h",
    "47 h",
    "2 days",
  ]);
});

test("an event that expires says when", () => {
  const times = { createdAt: "2026-01-01T00:00:00Z", expiresAt: "2026-01-01T01:00:00Z" };
  assert.equal(age(event(times), Date.parse("2026-01-01T00:15:00Z")), "15 min, expires in 45 min");
});

test("only a bool is approved or rejected", () => {
  const phase = "SUCCEEDED";
  assert.equal(outcome(event({ phase, payload: true, signalledBy: "ann" })), "approved by ann");
  assert.equal(outcome(event({ phase, payload: false })), "rejected");
  assert.equal(outcome(event({ phase, payload: "true" })), "answered true");
  assert.equal(outcome(event({ phase: "ABORTED", abortReason: "a\nb" })), "aborted: a b");
  assert.equal(outcome(event({ phase: "TIMED_OUT" })), "timed out");
});
