/** What the server and the extension send each other besides LSP. */

import type { AuthEnded, AuthRequired, Event } from "../../typescript/src/generated/types.js";

export type { AuthEnded, AuthRequired, Event };

/** The phase of the server's connection to the backend. */
export type Phase = "connecting" | "ready" | "disconnected" | "failed";

/** What identifies an event. */
export type EventKey = Pick<Event, "org" | "project" | "domain" | "runName" | "actionName">;

/** An event in the arguments of the server's commands. */
export type EventArgument = EventKey & { readonly name: string; readonly backend: string };

/** The notification `flyteSidecar/events`: changes of the waiting events. */
export interface EventChanges {
  /** Whether to forget all events that were reported before. */
  readonly reset: boolean;
  /** The id of the backend. */
  readonly backend: string;
  readonly phase: Phase;
  /** Why the backend is disconnected or has failed, as one line. */
  readonly error: string | null;
  /** New or changed events that wait. */
  readonly waiting: readonly Event[];
  /** Events that have ended since they were reported. */
  readonly ended: readonly Event[];
  /** Events that are no longer known. */
  readonly removed: readonly EventKey[];
  /** Number of waiting events that are not reported, because there are too many. */
  readonly omitted: number;
}

/** The request `flyteSidecar/ask`: ask the person for an answer. */
export interface Question {
  readonly event: Event;
  readonly backend: string;
  /** The question as one line. */
  readonly message: string;
}

/** The argument of `flyteSidecar.runLocally`. */
export interface LocalTask {
  readonly uri: string;
  readonly task: string;
  /** The names of the parameters without a default. */
  readonly parameters: readonly string[];
}

/** Returns the argument that refers to exactly this event. */
export function eventArgument(event: Event, backend: string): EventArgument {
  const { org, project, domain, runName, actionName, name } = event;
  return { org, project, domain, runName, actionName, name, backend };
}

/** Returns a string that differs between any two events of a backend. */
export function keyOf({ org, project, domain, runName, actionName }: EventKey): string {
  return JSON.stringify([org, project, domain, runName, actionName]);
}

/** Returns a string that differs between any two runs of a backend. */
export function runKeyOf({ org, project, domain, runName }: EventKey): string {
  return JSON.stringify([org, project, domain, runName]);
}
