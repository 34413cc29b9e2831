import { type CancellationToken, CancellationTokenSource } from "vscode-jsonrpc/node";
import { AbortError } from "./errors.js";
import type { ErrorData, Outcome } from "./generated/types.js";
import { PATIENCE } from "./process.js";
import { onAbort } from "./signals.js";

const OVERDUE = Symbol("overdue");

/** Sends a request that a signal cancels, and stops waiting if the sidecar then stays silent. */
export async function cancellable<Result>(
  signal: AbortSignal,
  send: (token: CancellationToken) => Promise<Result>,
): Promise<Result> {
  if (signal.aborted) throw aborted(signal, "before it was sent", "none");
  const source = new CancellationTokenSource();
  let forget = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<typeof OVERDUE>((resolve) => {
    forget = onAbort(signal, () => {
      source.cancel();
      timer = setTimeout(resolve, PATIENCE, OVERDUE);
    });
  });
  try {
    const result = await Promise.race([send(source.token), overdue]);
    if (result === OVERDUE)
      throw aborted(signal, "and the sidecar has not answered since", "unknown");
    return result;
  } finally {
    forget();
    clearTimeout(timer);
  }
}

/** Makes the error of a cancelled call of which the sidecar has told none. */
export function aborted(signal: AbortSignal, when = "", outcome?: Outcome): AbortError {
  const data: ErrorData = { kind: "request_cancelled", retryable: false };
  if (outcome !== undefined) data.outcome = outcome;
  const message = `the call was cancelled ${when}`.trimEnd();
  return new AbortError(message, -32800, data, { cause: signal.reason });
}
