import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidResponseError } from "flyte-sidecar";
import { MAX_PAGES, pages } from "../dist/pages.js";
import { Player } from "./player.mjs";
import { collect, failure } from "./sidecar.mjs";

/** Gives how many pages are fetched of a listing that does not end, and what it is told as. */
async function endless(next: (count: number) => string): Promise<[number, string]> {
  let count = 0;
  const listing = pages("events.list", "events", async () => {
    count += 1;
    return { events: [count], nextCursor: next(count) };
  });
  const { kind, message } = await failure(collect(listing), InvalidResponseError);
  assert.equal(kind, "invalid_response");
  return [count, message];
}

test("a listing that gives the same cursor again is given up at once", async () => {
  const [count, message] = await endless((page) => `c${Math.min(page, 5)}`);
  assert.equal(count, 6);
  assert.equal(
    message,
    "the response to events.list is invalid: the listing repeats the cursor c5",
  );
});

test("a listing that goes in circles is given up, however large they are", async () => {
  for (const size of [2, 3, 100, 1000]) {
    const [count] = await endless((page) => `c${page % size}`);
    assert.ok(count <= 4 * size, `${size}: ${count}`);
  }
});

test("a listing of ever new cursors is given up", async () => {
  const [count, message] = await endless((page) => `c${page}`);
  assert.equal(count, MAX_PAGES);
  assert.match(message, /more than 100000 pages$/);
});

test("a listing ends with its last page, however many are empty before", async () => {
  const listing = pages("events.list", "events", async (cursor) => {
    const page = Number(cursor ?? 0);
    return { events: page % 1000 ? [] : [page], nextCursor: page < 3000 ? `${page + 1}` : null };
  });
  assert.deepEqual(await collect(listing), [0, 1000, 2000, 3000]);
});

test("a page that holds no items is told as an invalid response", async () => {
  const { player, client } = await Player.meet();
  for (const page of [null, 5, {}, { events: {} }]) {
    const listed = failure(collect(client.events.pendingAll()), InvalidResponseError);
    await player.answer("events.pending", page);
    assert.equal(
      (await listed).message,
      "the response to events.pending is invalid: it holds no events",
    );
  }
});
