import { abortError, onAbort, throwIfAborted } from "./abort.js";
import type { Caller, CallOptions } from "./caller.js";
import { NOTIFICATIONS } from "./generated/methods.js";
import type { WatchNotification } from "./generated/types.js";
import { NotificationQueue } from "./queue.js";

interface Watch {
  readonly queue: NotificationQueue;
  readonly controller: AbortController;
}

/** The open watches of a connection, by name. */
export class Watches {
  readonly #open = new Map<string, Watch>();
  #lastName = 0;

  /** Adds a notification to the queue of its watch. Unknown ones of newer sidecars are dropped. */
  deliver(method: string, params: unknown): void {
    if (!NOTIFICATIONS.has(method) || typeof params !== "object" || params === null) return;
    const { watch } = params as { watch?: unknown };
    if (typeof watch !== "string") return;
    this.#open.get(watch)?.queue.add({ method, params } as WatchNotification);
  }

  /** Cancels all open watches. */
  cancelAll(): void {
    for (const { controller } of this.#open.values()) controller.abort();
  }

  /** Returns a watch, which opens with the first `next()`. */
  open<Notification, Result>(
    caller: Caller,
    method: string,
    params: { watch?: string | undefined },
    { signal }: CallOptions = {},
  ): AsyncGenerator<Notification, Result, void> {
    const controller = new AbortController();
    const watch = this.#iterate<Notification, Result>(caller, method, params, signal, controller);
    const { return: leave, throw: fail } = watch;
    // A generator delays these calls until a pending `next()` settles, so cancel the watch first.
    return Object.assign(watch, {
      return(value: Result | PromiseLike<Result>) {
        controller.abort();
        return leave.call(watch, value);
      },
      throw(error: unknown) {
        controller.abort();
        return fail.call(watch, error);
      },
    });
  }

  /** Yields the notifications of a watch. Awaits the end of the watch in every case. */
  async *#iterate<Notification, Result>(
    caller: Caller,
    method: string,
    params: { watch?: string | undefined },
    signal: AbortSignal | undefined,
    controller: AbortController,
  ): AsyncGenerator<Notification, Result, void> {
    throwIfAborted(signal);
    const watch = params.watch ?? this.#newName();
    const queue = this.#register(watch, controller);
    const unsubscribe = signal && onAbort(signal, () => controller.abort(signal.reason));
    const options = { signal: controller.signal };
    const result = caller.request<Result>(method, { ...params, watch }, options);
    const end = (): void => {
      this.#open.delete(watch);
      queue.end();
    };
    const ended = result.then(end, end);
    try {
      while (!signal?.aborted) {
        const notification = queue.shift();
        if (notification !== undefined) yield notification as Notification;
        else if (queue.ended) return await result;
        else await queue.ready();
      }
      const value = await result;
      if ((value as { reason?: unknown }).reason !== "cancelled") return value;
      throw abortError(signal);
    } finally {
      unsubscribe?.();
      controller.abort();
      await ended;
    }
  }

  #newName(): string {
    do this.#lastName += 1;
    while (this.#open.has(`w${this.#lastName}`));
    return `w${this.#lastName}`;
  }

  #register(watch: string, controller: AbortController): NotificationQueue {
    if (this.#open.has(watch)) {
      throw new TypeError(`a watch named ${JSON.stringify(watch)} is already open`);
    }
    const queue = new NotificationQueue();
    this.#open.set(watch, { queue, controller });
    return queue;
  }
}
