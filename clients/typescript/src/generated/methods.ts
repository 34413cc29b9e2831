// Code generated from schemas/ by "make generate". DO NOT EDIT.

import type { CallOptions, Calls } from "../calls.js";
import type {
  AbortParams,
  CreateParams,
  Event,
  EventPage,
  GetParams,
  ListParams,
  Notice,
  PendingParams,
  RunInfo,
  RunPage,
  RunsParams,
  SignalParams,
  Status,
  UnwatchParams,
  WaitParams,
  WatchParams,
  WatchResult,
} from "./types.js";

/** The version of the wire contract that this client was made for. */
export const PROTOCOL_VERSION = "1.1";

/** Tells the schemas that this client was made from. */
export const SCHEMA_HASH = "8fb08f5337d636ea";

/** The methods that this client knows. */
export const METHODS: ReadonlySet<string> = new Set([
  "events.list",
  "events.get",
  "events.create",
  "events.signal",
  "events.wait",
  "events.abort",
  "events.pending",
  "runs.list",
  "events.watch",
  "events.unwatch",
  "rpc.discover",
  "sidecar.status",
]);

/** Those that stay open until something happens. */
export const OPEN_ENDED: ReadonlySet<string> = new Set(["events.wait", "events.watch"]);

/** The notifications that this client knows. */
export const NOTIFICATIONS: ReadonlySet<string> = new Set([
  "events.changed",
  "events.synced",
  "events.disconnected",
  "events.resynced",
]);

/** The methods `events.*`. */
export class Events {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * List the events of a run in creation order, a page at a time.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  list(params: ListParams, options: CallOptions = {}): Promise<EventPage> {
    return this.#calls.request("events.list", params, options);
  }

  /**
   * As `list`, over all pages, each fetched when it is needed.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  listAll(params: ListParams, options: CallOptions = {}): AsyncGenerator<Event, void, void> {
    return this.#calls.pages("events.list", "events", params, options);
  }

  /**
   * Get the first event created that fits, or null.
   *
   * @throws {RequestError} store_busy, store_unavailable, backend_unavailable, backend_error,
   * unauthenticated, permission_denied
   */
  get(params: GetParams, options: CallOptions = {}): Promise<Event | null> {
    return this.#calls.request("events.get", params, options);
  }

  /**
   * Make an event that waits for an answer. Embedded store only.
   *
   * @throws {RequestError} event_exists, unsupported_by_backend, store_busy, store_unavailable,
   * backend_unavailable, backend_error, unauthenticated, permission_denied
   */
  create(params: CreateParams, options: CallOptions = {}): Promise<Event> {
    return this.#calls.request("events.create", params, options);
  }

  /**
   * Answer an event. The first value wins; the same value again is no error.
   *
   * @throws {RequestError} payload_type_mismatch, event_not_found, ambiguous_event,
   * already_signalled, already_completed, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  signal(params: SignalParams, options: CallOptions = {}): Promise<Event> {
    return this.#calls.request("events.signal", params, options);
  }

  /**
   * Wait until an event is no longer pending. Pass timeoutSeconds unless you cancel waits that you
   * abandon: they stay open.
   *
   * @throws {RequestError} event_not_found, ambiguous_event, too_many_waits, store_busy,
   * store_unavailable, backend_unavailable, backend_error, unauthenticated, permission_denied
   */
  wait(params: WaitParams, options: CallOptions = {}): Promise<Event> {
    return this.#calls.request("events.wait", params, options);
  }

  /**
   * End an event without an answer. Aborting again keeps the first reason.
   *
   * @throws {RequestError} event_not_found, ambiguous_event, already_signalled, already_completed,
   * store_busy, store_unavailable, backend_unavailable, backend_error, unauthenticated,
   * permission_denied
   */
  abort(params: AbortParams, options: CallOptions = {}): Promise<Event> {
    return this.#calls.request("events.abort", params, options);
  }

  /**
   * List the events of all runs that wait for an answer, a page at a time.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  pending(params: PendingParams = {}, options: CallOptions = {}): Promise<EventPage> {
    return this.#calls.request("events.pending", params, options);
  }

  /**
   * As `pending`, over all pages, each fetched when it is needed.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  pendingAll(
    params: PendingParams = {},
    options: CallOptions = {},
  ): AsyncGenerator<Event, void, void> {
    return this.#calls.pages("events.pending", "events", params, options);
  }

  /**
   * Be told of events as they stand and as they change, by notifications.
   *
   * It begins with the first `next()`; leaving the loop ends it. How it ended is what the generator
   * returns. A slow loop is told the newest state of each event, so `sequence` may skip, and need
   * not rise.
   *
   * @throws {RequestError} too_many_waits, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  watch(
    params: WatchParams = {},
    options: CallOptions = {},
  ): AsyncGenerator<Notice, WatchResult, void> {
    return this.#calls.watch("events.watch", params, options);
  }

  /** End a watch; answered after its end. */
  unwatch(params: UnwatchParams, options: CallOptions = {}): Promise<null> {
    return this.#calls.request("events.unwatch", params, options);
  }
}

/** The methods `runs.*`. */
export class Runs {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * List runs, the last created first, and how many of their events are pending.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  list(params: RunsParams = {}, options: CallOptions = {}): Promise<RunPage> {
    return this.#calls.request("runs.list", params, options);
  }

  /**
   * As `list`, over all pages, each fetched when it is needed.
   *
   * @throws {RequestError} cursor_expired, store_busy, store_unavailable, backend_unavailable,
   * backend_error, unauthenticated, permission_denied
   */
  listAll(params: RunsParams = {}, options: CallOptions = {}): AsyncGenerator<RunInfo, void, void> {
    return this.#calls.pages("runs.list", "runs", params, options);
  }
}

/** The methods `rpc.*`. */
export class Rpc {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Tell the whole contract, as an OpenRPC document. */
  discover(options: CallOptions = {}): Promise<Record<string, unknown>> {
    return this.#calls.request("rpc.discover", {}, options);
  }
}

/** The methods `sidecar.*`. */
export class Sidecar {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Tell how the sidecar is. */
  status(options: CallOptions = {}): Promise<Status> {
    return this.#calls.request("sidecar.status", {}, options);
  }
}

/** Every method of the sidecar, by its namespace. */
export abstract class Methods {
  /** The methods `events.*`. */
  readonly events: Events;
  /** The methods `runs.*`. */
  readonly runs: Runs;
  /** The methods `rpc.*`. */
  readonly rpc: Rpc;
  /** The methods `sidecar.*`. */
  readonly sidecar: Sidecar;

  /** @internal */
  protected constructor(calls: Calls) {
    this.events = new Events(calls);
    this.runs = new Runs(calls);
    this.rpc = new Rpc(calls);
    this.sidecar = new Sidecar(calls);
  }
}
