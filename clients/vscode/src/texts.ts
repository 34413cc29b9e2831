/** Texts about events. Names and prompts are other people's text. */

import type { Event } from "./protocol.ts";

const MAX_LENGTH = 200;

/**
 * Returns other people's text as one line that VS Code shows as it is: without icons (`$(name)`),
 * without links (`[text](command:...)`), without invisible and reordering characters.
 */
export function plain(text: string, length = MAX_LENGTH): string {
  const line = text
    .slice(0, 4 * length)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/(?![\u200c\u200d])[\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, "\ufffd")
    .replaceAll("$(", "$ (")
    .replaceAll("](", "] (")
    .trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

/** Returns the name of an event and its run. */
export function title(event: Event): string {
  return `${plain(event.name)} of run ${plain(event.runName)}`;
}

/** Returns whether the event is answered with Approve or Reject. */
export function isApproval(event: Pick<Event, "expectedType">): boolean {
  return event.expectedType === "bool" || event.expectedType === null;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns a duration in its largest unit, like `3 min`. */
export function duration(milliseconds: number): string {
  if (milliseconds < MINUTE) return "under 1 min";
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < 2 * DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return `${Math.floor(milliseconds / DAY)} days`;
}

/** Returns how long an event has been waiting, and when it times out. */
export function age(event: Event, now: number): string {
  const parts = [];
  if (event.createdAt !== null) parts.push(duration(now - Date.parse(event.createdAt)));
  if (event.expiresAt !== null) {
    const left = Date.parse(event.expiresAt) - now;
    parts.push(left > 0 ? `expires in ${duration(left)}` : "expires now");
  }
  return parts.join(", ");
}

/** Returns how an event has ended. */
export function outcome(event: Event): string {
  if (event.phase === "ABORTED") {
    return event.abortReason ? `aborted: ${plain(event.abortReason)}` : "aborted";
  }
  if (event.phase === "TIMED_OUT") return "timed out";
  if (event.payload === null) return event.phase.toLowerCase().replaceAll("_", " ");
  const by = event.signalledBy ? ` by ${plain(event.signalledBy)}` : "";
  if (event.payload === true) return `approved${by}`;
  if (event.payload === false) return `rejected${by}`;
  return `answered ${plain(String(event.payload))}${by}`;
}
