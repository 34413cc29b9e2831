import { AbortError } from "./errors.js";
import type { ErrorData, Outcome } from "./generated/types.js";

interface Subscribers {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const subscribers = new WeakMap<AbortSignal, Subscribers>();

/**
 * Calls back once when a signal is aborted. Returns a function that unsubscribes.
 *
 * All calls that share a signal share one event listener, because Node warns of a leak when a
 * signal has more than ten.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = subscribers.get(signal) ?? subscribe(signal);
  const call = (): void => callback(); // unique, even if the callback is subscribed twice
  callbacks.add(call);
  return () => {
    callbacks.delete(call);
    if (callbacks.size > 0) return;
    signal.removeEventListener("abort", listener);
    subscribers.delete(signal);
  };
}

function subscribe(signal: AbortSignal): Subscribers {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    for (const callback of callbacks) callback();
  };
  signal.addEventListener("abort", listener, { once: true });
  subscribers.set(signal, { callbacks, listener });
  return { callbacks, listener };
}

/**
 * Throws if the signal is already aborted.
 *
 * @throws {AbortError} if it is aborted
 * @throws {TypeError} if it is not an AbortSignal, for example an AbortController
 */
export function throwIfAborted(
  signal: AbortSignal | undefined,
  when = "before the request was sent",
): void {
  if (signal === undefined || signal === null) return;
  if (!(signal instanceof AbortSignal)) throw new TypeError("signal must be an AbortSignal");
  if (signal.aborted) throw abortError(signal, when, "none");
}

/** Returns the error of a cancelled call without an error response of the sidecar. */
export function abortError(signal: AbortSignal, when = "", outcome?: Outcome): AbortError {
  const data: ErrorData = { kind: "request_cancelled", retryable: false };
  if (outcome !== undefined) data.outcome = outcome;
  const message = `the call was cancelled ${when}`.trimEnd();
  return new AbortError(message, -32800, data, { cause: signal.reason });
}
