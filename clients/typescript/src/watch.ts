import type { CallOptions, Calls } from "./calls.js";
import { aborted } from "./cancellation.js";
import { NOTIFICATIONS } from "./generated/methods.js";
import type { Notice } from "./generated/types.js";
import { onAbort } from "./signals.js";
import { Unread } from "./unread.js";

/** The open watches of a connection, by their names. */
export class Watches {
  readonly #open = new Map<string, Unread>();
  #made = 0;

  /** Brings a notification to its watch. Others are dropped: newer sidecars may have more. */
  deliver(method: string, params: unknown): void {
    if (!NOTIFICATIONS.has(method) || typeof params !== "object" || params === null) return;
    const { watch } = params as { watch?: unknown };
    if (typeof watch === "string") this.#open.get(watch)?.add({ method, params } as Notice);
  }

  /** Opens a watch and tells what it tells; its end is awaited, however the reader leaves. */
  async *iterate<Told, Result>(
    calls: Calls,
    method: string,
    params: { watch?: string | undefined },
    { signal }: CallOptions = {},
  ): AsyncGenerator<Told, Result, void> {
    if (signal?.aborted) throw aborted(signal, "before it was sent", "none");
    const watch = params.watch ?? this.#name();
    const unread = this.#register(watch);
    const stop = new AbortController();
    const forget = signal && onAbort(signal, () => stop.abort(signal.reason));
    const result = calls.request<Result>(method, { ...params, watch }, { signal: stop.signal });
    const end = (): void => {
      this.#open.delete(watch);
      unread.end();
    };
    const ended = result.then(end, end);
    try {
      while (signal === undefined || !signal.aborted) {
        const notice = unread.take();
        if (notice !== undefined) yield notice as Told;
        else if (unread.ended) return await result;
        else await unread.news();
      }
      const answer = await result;
      if ((answer as { reason?: unknown }).reason !== "cancelled") return answer;
      throw aborted(signal);
    } finally {
      forget?.();
      stop.abort();
      await ended;
    }
  }

  #name(): string {
    do this.#made += 1;
    while (this.#open.has(`w${this.#made}`));
    return `w${this.#made}`;
  }

  #register(watch: string): Unread {
    if (this.#open.has(watch)) {
      throw new TypeError(`a watch named ${JSON.stringify(watch)} is open`);
    }
    const unread = new Unread();
    this.#open.set(watch, unread);
    return unread;
  }
}
