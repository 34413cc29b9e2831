// Code generated from schemas/ by "make generate". DO NOT EDIT.

import type { Payload } from "../payload.js";

/** A JSON-RPC error object. */
export interface ErrorObject {
  /** JSON-RPC's, LSP's, or from 1001 on ours. */
  code: number;
  /** One sentence for a person. */
  message: string;
  data: ErrorData;
}

/** What went wrong. */
export type ErrorKind =
  | "parse_error"
  | "invalid_request"
  | "method_not_found"
  | "invalid_params"
  | "internal_error"
  | "request_cancelled"
  | "message_too_large"
  | "deadline_exceeded"
  | "event_not_found"
  | "ambiguous_event"
  | "event_exists"
  | "payload_type_mismatch"
  | "already_signalled"
  | "already_completed"
  | "unsupported_by_backend"
  | "backend_unavailable"
  | "unauthenticated"
  | "permission_denied"
  | "backend_error"
  | "store_busy"
  | "store_unavailable"
  | "cursor_expired"
  | "too_many_waits"
  | "shutting_down";

/** What is known of a write that ended in an error: none if it did not happen. */
export type Outcome = "none" | "unknown";

/** A type of payload. */
export type ExpectedType = "bool" | "float" | "int" | "str";

/** Why a store cannot be used. */
export type StoreReason =
  | "not_a_store"
  | "newer"
  | "full"
  | "read_only"
  | "network"
  | "replaced"
  | "permissions"
  | "io";

/** The `data` of every error. Match on `kind`. */
export interface ErrorData {
  kind: ErrorKind | (string & {});
  /** Whether sending it again may help. */
  retryable: boolean;
  /** JSON Pointer to the culprit. */
  path?: string;
  /** A duplicate id. */
  id?: number | string | null;
  outcome?: Outcome | (string & {});
  /** The event that a write had chosen. */
  actionName?: string | null;
  /** The limit that was met. */
  limit?: number;
  expectedType?: ExpectedType | (string & {});
  event?: Event;
  /** The first 20 that the name fits. */
  candidates?: Event[];
  /** gRPC's status code. */
  grpcStatus?: string;
  /** What the backend said. */
  message?: string;
  reason?: StoreReason | (string & {});
}

/** The phase of an action: Flyte's ActionPhase, without its prefix. */
export type Phase =
  | "QUEUED"
  | "WAITING_FOR_RESOURCES"
  | "INITIALIZING"
  | "RUNNING"
  | "PAUSED"
  | "SUCCEEDED"
  | "FAILED"
  | "ABORTED"
  | "TIMED_OUT"
  | "RECOVERED";

/** How to render a prompt. */
export type PromptType = "markdown" | "text";

/**
 * A question that a run waits on, and its answer once there is one.
 *
 * Its org, project, domain, run and action together identify it; its name need not be unique.
 */
export interface Event {
  /** The name that the run gave the event. */
  name: string;
  /** The condition action that backs the event: its id within the run. */
  actionName: string;
  /** The run that asks. */
  runName: string;
  /** The run's organization. */
  org: string | null;
  /** The run's project. */
  project: string | null;
  /** The run's domain. */
  domain: string | null;
  /** The action that the event belongs to. */
  parent: string | null;
  /** The group of actions that it stands in. */
  group: string | null;
  phase: Phase | (string & {});
  /** Whether it can still be signalled. */
  pending: boolean;
  /** The type of payload that it takes, where the backend tells it. */
  expectedType: ExpectedType | (string & {}) | null;
  /** The question, for a person to read. */
  prompt: string | null;
  /** How to render the prompt. */
  promptType: PromptType | (string & {}) | null;
  /** More about the question. */
  description: string | null;
  /** When the event was made. */
  createdAt: string | null;
  /** When it stopped being pending. */
  endedAt: string | null;
  /** When it times out unanswered. */
  expiresAt: string | null;
  /** The answer, once there is one. */
  payload: Payload | null;
  /** Who answered, where that is known. */
  signalledBy: string | null;
  /** Why it was aborted, if a reason stands. */
  abortReason: string | null;
  /** The event's page in the Flyte console. */
  url: string | null;
  /**
   * True where a listing left out prompt, promptType, description, expiresAt, payload, signalledBy
   * and abortReason, which would have cost a call each.
   */
  partial: boolean;
}

/**
 * What became of an event. created: told for the first time, in whatever state; resolved: told as
 * pending before, and now it is not; removed: gone from the backend; updated: anything else.
 */
export type Change = "created" | "resolved" | "removed" | "updated";

/** An event as it now stands. */
export interface EventChanged {
  /** The watch, as its client named it. */
  watch: string;
  /** From 1 on, rising by one, of each watch. */
  sequence: number;
  change: Change | (string & {});
  event: Event;
}

/** Every event that stands has been told; what follows are changes. */
export interface WatchSynced {
  /** The watch, as its client named it. */
  watch: string;
  /** From 1 on, rising by one, of each watch. */
  sequence: number;
}

/** The backend is lost; the watch finds it again by itself, and then tells what it missed. */
export interface WatchDisconnected {
  /** The watch, as its client named it. */
  watch: string;
  /** From 1 on, rising by one, of each watch. */
  sequence: number;
  error: ErrorObject;
}

/** The backend was found again, and every change since it was lost has been told. */
export interface WatchResynced {
  /** The watch, as its client named it. */
  watch: string;
  /** From 1 on, rising by one, of each watch. */
  sequence: number;
}

/** LSP's InitializeResult, and what a client of ours needs to know. */
export interface InitializeResult {
  /** LSP's; experimental.flyteSidecar repeats the last three members. */
  capabilities: Record<string, unknown>;
  serverInfo: ServerInfo;
  /** MAJOR.MINOR of the wire contract. */
  protocolVersion: string;
  /** Differs where the schemas differ. */
  schemaHash: string;
  backend: Backend;
}

/** Who answers. */
export interface ServerInfo {
  /** flyte-sidecar. */
  name: string;
  /** The version of the package. */
  version: string;
}

/** Where the events are kept, and the scope that requests have by default. */
export interface Backend {
  /** local or flyte. */
  kind: string;
  /** The Flyte deployment's HOST:PORT. */
  endpoint: string | null;
  /** The organization of requests that name none. */
  org: string | null;
  /** The project of requests that name none. */
  project: string | null;
  /** The domain of requests that name none. */
  domain: string | null;
}

/** Which events of a run to list. */
export interface ListParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run's name. */
  runName: string;
  /** Only events under this action. */
  parent?: string | null | undefined;
  /** Only events in these phases. */
  phases?: readonly (Phase | (string & {}))[] | null | undefined;
  /** Whether no event may be partial. By default false. */
  details?: boolean | null | undefined;
  /** The most that a page holds. By default 100. */
  limit?: number | null | undefined;
  /**
   * A former page's nextCursor. On Flyte, later pages report each event as the first page found it,
   * unless something newer is known by then.
   */
  cursor?: string | null | undefined;
}

/** Some events, in creation order. */
export interface EventPage {
  /** At most as many as the limit. */
  events: Event[];
  /** Where the next page begins; none at the end. */
  nextCursor: string | null;
}

/** Which event to get. */
export type GetParams = Target & {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run's name. */
  runName: string;
};

/** The event to make. Embedded store only. */
export interface CreateParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run that asks. */
  runName: string;
  /** The event's name, new under its parent. */
  name: string;
  /** By default bool. */
  expectedType?: ExpectedType | null | undefined;
  /** By default Approve? */
  prompt?: string | null | undefined;
  /** By default text. */
  promptType?: PromptType | null | undefined;
  /** More about the question. */
  description?: string | null | undefined;
  /** It times out so long after it was made. By default never. */
  expiresInSeconds?: number | null | undefined;
  /** By default a0. */
  parent?: string | null | undefined;
  /** The group it stands in. */
  group?: string | null | undefined;
}

/** Which event to answer, and with what. */
export type SignalParams = Target & {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run's name. */
  runName: string;
  /** The answer. */
  payload: Payload;
  /** What the payload is; must equal the declared type, if there is one. */
  payloadType?: ExpectedType | null | undefined;
};

/** Which event to wait for. */
export type WaitParams = Target & {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run's name. */
  runName: string;
  /** Also wait for an event that does not exist yet. By default false. */
  awaitCreation?: boolean | null | undefined;
};

/** Which event to end without an answer. */
export type AbortParams = Target & {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The run's name. */
  runName: string;
  /** Why, for a person. */
  reason?: string | null | undefined;
};

/** Of which place to list the events that wait for an answer. */
export interface PendingParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The most that a page holds. By default 100. */
  limit?: number | null | undefined;
  /** A former page's nextCursor. */
  cursor?: string | null | undefined;
}

/** Which runs to list. */
export interface RunsParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** Only runs with pending events. By default false. */
  pendingOnly?: boolean | null | undefined;
  /** The most that a page holds. By default 100. */
  limit?: number | null | undefined;
  /** A former page's nextCursor. */
  cursor?: string | null | undefined;
}

/** Some runs, the last created first. */
export interface RunPage {
  /** At most as many as the limit. */
  runs: RunInfo[];
  /** Where the next page begins; none at the end. */
  nextCursor: string | null;
}

/** A run, and how many of its events wait for an answer. */
export interface RunInfo {
  /** The run's name. */
  runName: string;
  /** The run's organization. */
  org: string | null;
  /** The run's project. */
  project: string | null;
  /** The run's domain. */
  domain: string | null;
  /** As an event's; none where runs have none, as in the embedded store. */
  phase: Phase | (string & {}) | null;
  /** When the run was made. */
  createdAt: string | null;
  /** How many of its events are pending. */
  pendingEvents: number;
}

/** What to watch: a run, an action's events, or all pending events. */
export interface WatchParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** By default the connection's. */
  org?: string | null | undefined;
  /** By default the connection's. */
  project?: string | null | undefined;
  /** By default the connection's. */
  domain?: string | null | undefined;
  /** The client's name for the watch, unlike those of its open ones. By default one is made. */
  watch?: string | undefined;
  /** The run. By default all pending events are watched. */
  runName?: string | null | undefined;
  /** Only events under this action. */
  parent?: string | null | undefined;
}

/**
 * Why a watch ended: its client cancelled it, the sidecar shut down, or it is finished: the run is
 * over, and all its events are resolved. On Flyte, events that are open when their run ends stay so
 * until the cluster collects the run.
 */
export type WatchEnd = "cancelled" | "shutdown" | "finished";

/** How a watch ended. */
export interface WatchResult {
  reason: WatchEnd | (string & {});
}

/** Which watch to end. */
export interface UnwatchParams {
  /** Past so many seconds the request is answered with deadline_exceeded. */
  timeoutSeconds?: number | null | undefined;
  /** Its name. */
  watch: string;
}

/** How the sidecar is. */
export interface Status {
  /** Since the process began to serve. */
  uptimeSeconds: number;
  counters: Counters;
  /** MAJOR.MINOR of the wire contract. */
  protocolVersion: string;
  /** Differs where the schemas differ. */
  schemaHash: string;
  backend: BackendStatus;
}

/** What the sidecar has done since it started, and does now. */
export interface Counters {
  /** Requests and notifications taken. */
  requests: number;
  /** Errors answered. */
  errors: number;
  /** Requests at work, waits included. */
  inFlight: number;
  /** Open waits. */
  waits: number;
  /** Open watches. */
  watches: number;
}

/** Where the events are kept, and whether it answers. */
export interface BackendStatus {
  /** local or flyte. */
  kind: string;
  /** The Flyte deployment's HOST:PORT. */
  endpoint: string | null;
  /** The organization of requests that name none. */
  org: string | null;
  /** The project of requests that name none. */
  project: string | null;
  /** The domain of requests that name none. */
  domain: string | null;
  /** Whether it answers now. */
  healthy: boolean;
}

/** One event: by `actionName`, or by `name` and perhaps `parent`; not both. */
export type Target =
  | {
      /** The event's id within the run. */
      actionName: string;
      /** The event's name. */
      name?: null | undefined;
      /** The action that the event is under. */
      parent?: null | undefined;
    }
  | {
      /** The event's name. */
      name: string;
      /** The action that the event is under. */
      parent?: string | null | undefined;
      /** The event's id within the run. */
      actionName?: null | undefined;
    };

/** What a watch tells, one at a time. */
export type Notice =
  | { method: "events.changed"; params: EventChanged }
  | { method: "events.synced"; params: WatchSynced }
  | { method: "events.disconnected"; params: WatchDisconnected }
  | { method: "events.resynced"; params: WatchResynced };
