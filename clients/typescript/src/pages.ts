import { InvalidResponseError } from "./errors.js";

/** The maximum number of pages of one listing. */
export const MAX_PAGES = 100_000;

/**
 * Iterates over the items of a listing. Fetches each page when it is needed.
 *
 * @param fetch fetches the page at a cursor; undefined for the first page
 * @throws {InvalidResponseError} if the listing does not end, or a page has no items
 */
export async function* pages<Item>(
  method: string,
  member: string,
  fetch: (cursor: string | undefined) => Promise<unknown>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  let checkpoint: string | undefined;
  for (let count = 1; count <= MAX_PAGES; count += 1) {
    const page = (await fetch(cursor)) as Record<string, unknown> | null;
    const items = page?.[member];
    if (!Array.isArray(items)) throw new InvalidResponseError(method, `it has no ${member}`);
    yield* items as Item[];
    const next = page?.nextCursor;
    if (typeof next !== "string") return;
    if (next === cursor || next === checkpoint) {
      throw new InvalidResponseError(method, `the listing repeats the cursor ${next}`);
    }
    // Brent's algorithm: a checkpoint at every power of two detects a cycle of any length.
    if (Number.isInteger(Math.log2(count))) checkpoint = next;
    cursor = next;
  }
  throw new InvalidResponseError(method, `the listing has more than ${MAX_PAGES} pages`);
}
