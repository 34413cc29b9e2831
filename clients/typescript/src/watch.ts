import type { CallOptions, Calls } from "./calls.js";
import { NOTIFICATIONS } from "./generated/methods.js";
import type { Notice } from "./generated/types.js";
import { aborted, admit, onAbort } from "./signals.js";
import { Unread } from "./unread.js";

interface Watch {
  readonly unread: Unread;
  readonly stop: AbortController;
}

/** The open watches of a connection, by their names. */
export class Watches {
  readonly #open = new Map<string, Watch>();
  #made = 0;

  /** Brings a notification to its watch. Others are dropped: newer sidecars may have more. */
  deliver(method: string, params: unknown): void {
    if (!NOTIFICATIONS.has(method) || typeof params !== "object" || params === null) return;
    const { watch } = params as { watch?: unknown };
    if (typeof watch === "string") this.#open.get(watch)?.unread.add({ method, params } as Notice);
  }

  /** Cancels all that are open. */
  stop(): void {
    for (const { stop } of this.#open.values()) stop.abort();
  }

  /** Makes a watch, which begins with its first `next`. */
  open<Told, Result>(
    calls: Calls,
    method: string,
    params: { watch?: string | undefined },
    { signal }: CallOptions = {},
  ): AsyncGenerator<Told, Result, void> {
    const stop = new AbortController();
    const watch = this.#iterate<Told, Result>(calls, method, params, signal, stop);
    const { return: leave, throw: fail } = watch;
    // A generator puts these off until a `next` that is under way has something to tell.
    return Object.assign(watch, {
      return(value: Result | PromiseLike<Result>) {
        stop.abort();
        return leave.call(watch, value);
      },
      throw(error: unknown) {
        stop.abort();
        return fail.call(watch, error);
      },
    });
  }

  /** Tells what a watch tells; its end is awaited, however the reader leaves. */
  async *#iterate<Told, Result>(
    calls: Calls,
    method: string,
    params: { watch?: string | undefined },
    signal: AbortSignal | undefined,
    stop: AbortController,
  ): AsyncGenerator<Told, Result, void> {
    admit(signal);
    const watch = params.watch ?? this.#name();
    const unread = this.#register(watch, stop);
    const forget = signal && onAbort(signal, () => stop.abort(signal.reason));
    const result = calls.request<Result>(method, { ...params, watch }, { signal: stop.signal });
    const end = (): void => {
      this.#open.delete(watch);
      unread.end();
    };
    const ended = result.then(end, end);
    try {
      while (!signal?.aborted) {
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

  #register(watch: string, stop: AbortController): Unread {
    if (this.#open.has(watch)) {
      throw new TypeError(`a watch named ${JSON.stringify(watch)} is open`);
    }
    const unread = new Unread();
    this.#open.set(watch, { unread, stop });
    return unread;
  }
}
