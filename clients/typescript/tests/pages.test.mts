import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidResponseError } from "flyte-sidecar";
import { MAX_PAGES, pages } from "../dist/pages.js";
import { FakeSidecar } from "./fake-sidecar.mjs";
import { collect, rejection } from "./real-sidecar.mjs";

/** Returns the number of pages fetched of a listing that does not end, and the error message. */
async function endless(next: (count: number) => string): Promise<[number, string]> {
  let count = 0;
  const listing = pages("events.list", "events", async () => {
    count += 1;
    return { events: [count], nextCursor: next(count) };
  });
  const { kind, message } = await rejection(collect(listing), InvalidResponseError);
  assert.equal(kind, "invalid_response");
  return [count, message];
}

test("a listing that repeats its cursor rejects immediately", async () => {
  const [count, message] = await endless((page) => `c${Math.min(page, 5)}`);
  assert.equal(count, 6);
  assert.equal(
    message,
    "the response to events.list is invalid: the listing repeats the cursor c5",
  );
});

test("a listing whose cursors form a cycle rejects", async () => {
  for (const size of [2, 3, 100, 1000]) {
    const [count] = await endless((page) => `c${page % size}`);
    assert.ok(count <= 4 * size, `${size}: ${count}`);
  }
});

test("a listing with too many pages rejects", async () => {
  const [count, message] = await endless((page) => `c${page}`);
  assert.equal(count, MAX_PAGES);
  assert.match(message, /more than 100000 pages$/);
});

test("a listing with many empty pages ends with its last page", async () => {
  const listing = pages("events.list", "events", async (cursor) => {
    const page = Number(cursor ?? 0);
    return { events: page % 1000 ? [] : [page], nextCursor: page < 3000 ? `${page + 1}` : null };
  });
  assert.deepEqual(await collect(listing), [0, 1000, 2000, 3000]);
});

test("a page without items is an InvalidResponseError", async () => {
  const { fake, client } = await FakeSidecar.attach();
  for (const page of [null, 5, {}, { events: {} }]) {
    const listed = rejection(collect(client.events.pendingAll()), InvalidResponseError);
    await fake.respond("events.pending", page);
    assert.equal(
      (await listed).message,
      "the response to events.pending is invalid: it has no events",
    );
  }
});
