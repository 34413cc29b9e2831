/** Texts about events. Names, prompts and answers are other people's text. */

import type { Event } from "./protocol.ts";

const MAX_LENGTH = 200;

/**
 * Returns other people's text as one line that VS Code shows as it is: without icons (`$(name)`),
 * without links (`[text](command:name)`), without characters that are invisible or reorder others.
 */
export function plain(text: string, length = MAX_LENGTH): string {
  const line = text
    .slice(0, 4 * length)
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, escaped)
    .replaceAll("$(", "$ (")
    .replaceAll("](", "] (")
    .trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** Returns the name of an event and its run. */
export function title(event: Pick<Event, "name" | "runName">): string {
  return `${plain(event.name)} of run ${plain(event.runName)}`;
}

/** Returns the prompt of an event. */
export function prompt(event: Event): string {
  return plain(event.prompt ?? "");
}

/** Returns how many events wait, as a sentence. */
export function waitingText(count: number): string {
  return count === 1
    ? "1 event of a Flyte run waits for an answer"
    : `${count} events of Flyte runs wait for an answer`;
}

/** Returns whether the answer to an event is Approve or Reject. */
export function isApproval(event: Event): boolean {
  return event.expectedType === "bool" || event.expectedType === null;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns a duration in its largest unit, like `3 min`. */
function duration(milliseconds: number): string {
  if (milliseconds < MINUTE) return "1 min";
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < 2 * DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return `${Math.floor(milliseconds / DAY)} days`;
}

/** Returns how long an event has been waiting, and when it times out, at a time in milliseconds. */
export function age({ createdAt, expiresAt }: Event, now: number): string {
  const parts = [];
  if (createdAt !== null) {
    const waited = now - Date.parse(createdAt);
    parts.push(waited < MINUTE ? "now" : duration(waited));
  }
  if (expiresAt !== null) parts.push(`expires in ${duration(Date.parse(expiresAt) - now)}`);
  return parts.join(", ");
}

/** Returns how an event has ended. */
export function outcome({ phase, payload, abortReason, signalledBy }: Event): string {
  if (phase === "ABORTED") return abortReason ? `aborted: ${plain(abortReason)}` : "aborted";
  if (payload === null) return phase.toLowerCase().replaceAll("_", " ");
  const by = signalledBy ? ` by ${plain(signalledBy)}` : "";
  if (typeof payload === "boolean") return `${payload ? "approved" : "rejected"}${by}`;
  return `answered ${plain(String(payload))}${by}`;
}
