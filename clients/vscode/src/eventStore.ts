/** The state of the view: the events that the server has reported, or why there are none. */

import { EventEmitter } from "vscode";
import { type Event, type EventChanges, keyOf, type Phase } from "./protocol.ts";

/** The phase of the backend, or of the server if that does not run. */
export type State = Phase | "notInstalled" | "starting" | "stopped";

/** Number of ended events that are kept. */
const MAX_RECENT = 50;

/** The waiting events and those that ended recently, as the server reports them. */
export class EventStore {
  readonly #waiting = new Map<string, Event>();
  #recent: readonly Event[] = [];
  readonly #changed = new EventEmitter<void>();

  /** Fires after a change of any member. */
  readonly onDidChange = this.#changed.event;

  /** The id of the backend that has the events. */
  backend = "";
  /** Whether the events are up to date. */
  state: State = "starting";
  /** Why they are not, if it is known. */
  error: string | null = null;
  /** Number of waiting events that the server has not reported. */
  omitted = 0;

  /** The waiting events, in the order in which they were reported. */
  get waiting(): readonly Event[] {
    return [...this.#waiting.values()];
  }

  /** The events that have ended while the editor was open, the newest first. */
  get recent(): readonly Event[] {
    return this.#recent;
  }

  /** Number of waiting events, including those that the server has not reported. */
  get count(): number {
    return this.#waiting.size + this.omitted;
  }

  /** Applies changes in the order that the protocol defines. */
  apply(changes: EventChanges): void {
    if (changes.reset) this.#forget();
    this.backend = changes.backend;
    this.state = changes.phase;
    this.error = changes.error;
    for (const event of changes.waiting) this.#waiting.set(keyOf(event), event);
    for (const event of changes.ended) this.#end(event);
    for (const event of changes.removed) this.#drop(keyOf(event));
    this.omitted = changes.omitted;
    this.#changed.fire();
  }

  /** Forgets all events, as the server does not run. */
  reset(state: State, error: string | null = null): void {
    this.#forget();
    this.state = state;
    this.error = error;
    this.#changed.fire();
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #forget(): void {
    this.#waiting.clear();
    this.#recent = [];
    this.omitted = 0;
  }

  #end(event: Event): void {
    this.#drop(keyOf(event));
    this.#recent = [event, ...this.#recent].slice(0, MAX_RECENT);
  }

  #drop(key: string): void {
    this.#waiting.delete(key);
    this.#recent = this.#recent.filter((event) => keyOf(event) !== key);
  }
}
