import { AbortError } from "./errors.js";
import type { ErrorData, Outcome } from "./generated/types.js";

interface Followed {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const followed = new WeakMap<AbortSignal, Followed>();

/**
 * Calls back once when a signal is aborted; gives what stops that.
 *
 * However many calls share a signal, it is given one listener: Node warns of a leak from the
 * eleventh on.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { calls, listener } = followed.get(signal) ?? follow(signal);
  const call = (): void => callback();
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0) return;
    signal.removeEventListener("abort", listener);
    followed.delete(signal);
  };
}

function follow(signal: AbortSignal): Followed {
  const calls = new Set<() => void>();
  const listener = (): void => {
    for (const call of calls) call();
  };
  signal.addEventListener("abort", listener, { once: true });
  followed.set(signal, { calls, listener });
  return { calls, listener };
}

/**
 * Lets a call begin, unless its signal was aborted before.
 *
 * @throws {TypeError} if the signal is something else, its controller for instance
 */
export function admit(signal: AbortSignal | undefined, when = "before it was sent"): void {
  if (signal === undefined || signal === null) return;
  if (!(signal instanceof AbortSignal)) throw new TypeError("the signal must be an AbortSignal");
  if (signal.aborted) throw aborted(signal, when, "none");
}

/** Makes the error of a cancelled call of which the sidecar has told none. */
export function aborted(signal: AbortSignal, when = "", outcome?: Outcome): AbortError {
  const data: ErrorData = { kind: "request_cancelled", retryable: false };
  if (outcome !== undefined) data.outcome = outcome;
  const message = `the call was cancelled ${when}`.trimEnd();
  return new AbortError(message, -32800, data, { cause: signal.reason });
}
