import { InvalidResponseError } from "./errors.js";

/** Pages of one listing that are fetched at most. */
export const MAX_PAGES = 100_000;

/**
 * Iterates over the items of a listing, each page of which is fetched when it is needed.
 *
 * @param fetch fetches the page at a cursor, undefined for the first
 * @throws {InvalidResponseError} if the listing does not end, or a page holds no items
 */
export async function* pages<Item>(
  method: string,
  member: string,
  fetch: (cursor: string | undefined) => Promise<unknown>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  let mark: string | undefined;
  for (let count = 1; count <= MAX_PAGES; count += 1) {
    const page = (await fetch(cursor)) as Record<string, unknown> | null;
    const items = page?.[member];
    if (!Array.isArray(items)) throw new InvalidResponseError(method, `it holds no ${member}`);
    yield* items as Item[];
    const next = page?.nextCursor;
    if (typeof next !== "string") return;
    if (next === cursor || next === mark) {
      throw new InvalidResponseError(method, `the listing repeats the cursor ${next}`);
    }
    // By this mark, which moves ever more rarely (Brent), a circle of any length is noticed.
    if (Number.isInteger(Math.log2(count))) mark = next;
    cursor = next;
  }
  throw new InvalidResponseError(method, `the listing has more than ${MAX_PAGES} pages`);
}
