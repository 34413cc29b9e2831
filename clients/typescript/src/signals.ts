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
