// Code generated from schemas/ by "make generate". DO NOT EDIT.

package sidecar

import (
	"encoding/json"
	"time"
)

// ProtocolVersion is the version of the wire contract that this package speaks.
const ProtocolVersion = "1.1"

// Error: A JSON-RPC error object.
type Error struct {
	// JSON-RPC's, LSP's, or from 1001 on ours.
	Code int `json:"code"`
	// One sentence for a person.
	Message string    `json:"message"`
	Data    ErrorData `json:"data"`
}

// ErrorKind: What went wrong.
//
// The set is open: a newer sidecar may send others.
type ErrorKind string

const (
	// The message is not UTF-8 or not JSON.
	KindParseError ErrorKind = "parse_error"
	// The message is JSON but no JSON-RPC request, or one that may not come now.
	KindInvalidRequest ErrorKind = "invalid_request"
	// No method has that name.
	KindMethodNotFound ErrorKind = "method_not_found"
	// The params do not fit the method; path is a JSON Pointer to the culprit.
	KindInvalidParams ErrorKind = "invalid_params"
	// A defect of the sidecar; the log has the details.
	KindInternalError ErrorKind = "internal_error"
	// The client cancelled the request.
	KindRequestCancelled ErrorKind = "request_cancelled"
	// The message is over limit bytes.
	KindMessageTooLarge ErrorKind = "message_too_large"
	// timeoutSeconds, or the backend's own deadline, has passed.
	KindDeadlineExceeded ErrorKind = "deadline_exceeded"
	// The event to signal, wait for or abort does not exist.
	KindEventNotFound ErrorKind = "event_not_found"
	// The name fits several unresolved events; candidates are the first of them.
	KindAmbiguousEvent ErrorKind = "ambiguous_event"
	// The name was used before under the same parent, by event.
	KindEventExists ErrorKind = "event_exists"
	// The payload does not fit the declared type, expectedType.
	KindPayloadTypeMismatch ErrorKind = "payload_type_mismatch"
	// event was answered before, with another value.
	KindAlreadySignalled ErrorKind = "already_signalled"
	// event timed out, was aborted or failed before.
	KindAlreadyCompleted ErrorKind = "already_completed"
	// This backend cannot do what was asked.
	KindUnsupportedByBackend ErrorKind = "unsupported_by_backend"
	// The backend cannot be reached, or the connection to it dropped.
	KindBackendUnavailable ErrorKind = "backend_unavailable"
	// The backend does not know who is asking.
	KindUnauthenticated ErrorKind = "unauthenticated"
	// The backend knows who is asking and refuses.
	KindPermissionDenied ErrorKind = "permission_denied"
	// Anything else that the backend said.
	KindBackendError ErrorKind = "backend_error"
	// The embedded store stayed locked by another process for longer than we wait.
	KindStoreBusy ErrorKind = "store_busy"
	// The embedded store cannot be used, for reason.
	KindStoreUnavailable ErrorKind = "store_unavailable"
	// The cursor is not known, or no longer: list again from the start.
	KindCursorExpired ErrorKind = "cursor_expired"
	// limit waits and watches are open already.
	KindTooManyWaits ErrorKind = "too_many_waits"
	// The sidecar ends before it could answer.
	KindShuttingDown ErrorKind = "shutting_down"
)

// Outcome: What is known of a write that ended in an error: none if it did not happen.
//
// The set is open: a newer sidecar may send others.
type Outcome string

const (
	OutcomeNone    Outcome = "none"
	OutcomeUnknown Outcome = "unknown"
)

// ExpectedType: A type of payload.
//
// The set is open: a newer sidecar may send others.
type ExpectedType string

const (
	ExpectedTypeBool  ExpectedType = "bool"
	ExpectedTypeFloat ExpectedType = "float"
	ExpectedTypeInt   ExpectedType = "int"
	ExpectedTypeStr   ExpectedType = "str"
)

// StoreReason: Why a store cannot be used.
//
// The set is open: a newer sidecar may send others.
type StoreReason string

const (
	StoreReasonNotAStore   StoreReason = "not_a_store"
	StoreReasonNewer       StoreReason = "newer"
	StoreReasonFull        StoreReason = "full"
	StoreReasonReadOnly    StoreReason = "read_only"
	StoreReasonNetwork     StoreReason = "network"
	StoreReasonReplaced    StoreReason = "replaced"
	StoreReasonPermissions StoreReason = "permissions"
	StoreReasonIO          StoreReason = "io"
)

// ErrorData: The data of every error. Match on kind.
type ErrorData struct {
	Kind ErrorKind `json:"kind"`
	// Whether sending it again may help.
	Retryable bool `json:"retryable"`
	// JSON Pointer to the culprit.
	Path string `json:"path,omitzero"`
	// A duplicate id.
	ID      json.RawMessage `json:"id,omitzero"`
	Outcome Outcome         `json:"outcome,omitzero"`
	// The event that a write had chosen.
	ActionName string `json:"actionName,omitzero"`
	// The limit that was met.
	Limit        int          `json:"limit,omitzero"`
	ExpectedType ExpectedType `json:"expectedType,omitzero"`
	Event        *Event       `json:"event,omitzero"`
	// The first 20 that the name fits.
	Candidates []*Event `json:"candidates,omitzero"`
	// gRPC's status code.
	GRPCStatus string `json:"grpcStatus,omitzero"`
	// What the backend said.
	Message string      `json:"message,omitzero"`
	Reason  StoreReason `json:"reason,omitzero"`
}

// Phase: The phase of an action: Flyte's ActionPhase, without its prefix.
//
// The set is open: a newer sidecar may send others.
type Phase string

const (
	PhaseQueued              Phase = "QUEUED"
	PhaseWaitingForResources Phase = "WAITING_FOR_RESOURCES"
	PhaseInitializing        Phase = "INITIALIZING"
	PhaseRunning             Phase = "RUNNING"
	PhasePaused              Phase = "PAUSED"
	PhaseSucceeded           Phase = "SUCCEEDED"
	PhaseFailed              Phase = "FAILED"
	PhaseAborted             Phase = "ABORTED"
	PhaseTimedOut            Phase = "TIMED_OUT"
	PhaseRecovered           Phase = "RECOVERED"
)

// PromptType: How to render a prompt.
//
// The set is open: a newer sidecar may send others.
type PromptType string

const (
	PromptTypeMarkdown PromptType = "markdown"
	PromptTypeText     PromptType = "text"
)

// Event: A question that a run waits on, and its answer once there is one.
//
// Its org, project, domain, run and action together identify it; its name need not be unique.
type Event struct {
	// The name that the run gave the event.
	Name string `json:"name"`
	// The condition action that backs the event: its id within the run.
	ActionName string `json:"actionName"`
	// The run that asks.
	RunName string `json:"runName"`
	// The run's organization.
	Org string `json:"org,omitzero"`
	// The run's project.
	Project string `json:"project,omitzero"`
	// The run's domain.
	Domain string `json:"domain,omitzero"`
	// The action that the event belongs to.
	Parent string `json:"parent,omitzero"`
	// The group of actions that it stands in.
	Group string `json:"group,omitzero"`
	Phase Phase  `json:"phase"`
	// Whether it can still be signalled.
	Pending bool `json:"pending"`
	// The type of payload that it takes, where the backend tells it.
	ExpectedType ExpectedType `json:"expectedType,omitzero"`
	// The question, for a person to read.
	Prompt string `json:"prompt,omitzero"`
	// How to render the prompt.
	PromptType PromptType `json:"promptType,omitzero"`
	// More about the question.
	Description string `json:"description,omitzero"`
	// When the event was made.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// When it stopped being pending.
	EndedAt time.Time `json:"endedAt,omitzero"`
	// When it times out unanswered.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// The answer, once there is one.
	Payload Payload `json:"payload,omitzero"`
	// Who answered, where that is known.
	SignalledBy string `json:"signalledBy,omitzero"`
	// Why it was aborted, if a reason stands.
	AbortReason string `json:"abortReason,omitzero"`
	// The event's page in the Flyte console.
	URL string `json:"url,omitzero"`
	// True where a listing left out prompt, promptType, description, expiresAt, payload,
	// signalledBy and abortReason, which would have cost a call each.
	Partial bool `json:"partial"`
}

// Change: What became of an event. created: told for the first time, in whatever state;
// resolved: told as pending before, and now it is not; removed: gone from the backend; updated:
// anything else.
//
// The set is open: a newer sidecar may send others.
type Change string

const (
	ChangeCreated  Change = "created"
	ChangeResolved Change = "resolved"
	ChangeRemoved  Change = "removed"
	ChangeUpdated  Change = "updated"
)

// EventChanged: An event as it now stands.
type EventChanged struct {
	// The watch, as its client named it.
	Watch string `json:"watch"`
	// From 1 on, rising by one, of each watch.
	Sequence int    `json:"sequence"`
	Change   Change `json:"change"`
	Event    Event  `json:"event"`
}

// WatchSynced: Every event that stands has been told; what follows are changes.
type WatchSynced struct {
	// The watch, as its client named it.
	Watch string `json:"watch"`
	// From 1 on, rising by one, of each watch.
	Sequence int `json:"sequence"`
}

// WatchDisconnected: The backend is lost; the watch finds it again by itself, and then tells
// what it missed.
type WatchDisconnected struct {
	// The watch, as its client named it.
	Watch string `json:"watch"`
	// From 1 on, rising by one, of each watch.
	Sequence int    `json:"sequence"`
	Error    *Error `json:"error"`
}

// WatchResynced: The backend was found again, and every change since it was lost has been told.
type WatchResynced struct {
	// The watch, as its client named it.
	Watch string `json:"watch"`
	// From 1 on, rising by one, of each watch.
	Sequence int `json:"sequence"`
}

// InitializeResult: LSP's InitializeResult, and what a client of ours needs to know.
type InitializeResult struct {
	// LSP's; experimental.flyteSidecar repeats the last three members.
	Capabilities json.RawMessage `json:"capabilities"`
	ServerInfo   ServerInfo      `json:"serverInfo"`
	// MAJOR.MINOR of the wire contract.
	ProtocolVersion string `json:"protocolVersion"`
	// Differs where the schemas differ.
	SchemaHash string  `json:"schemaHash"`
	Backend    Backend `json:"backend"`
}

// ServerInfo: Who answers.
type ServerInfo struct {
	// flyte-sidecar.
	Name string `json:"name"`
	// The version of the package.
	Version string `json:"version"`
}

// Backend: Where the events are kept, and the scope that requests have by default.
type Backend struct {
	// local or flyte.
	Kind string `json:"kind"`
	// The Flyte deployment's HOST:PORT.
	Endpoint string `json:"endpoint,omitzero"`
	// The organization of requests that name none.
	Org string `json:"org,omitzero"`
	// The project of requests that name none.
	Project string `json:"project,omitzero"`
	// The domain of requests that name none.
	Domain string `json:"domain,omitzero"`
}

// ListParams: Which events of a run to list.
type ListParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run's name.
	RunName string `json:"runName"`
	// Only events under this action.
	Parent string `json:"parent,omitempty"`
	// Only events in these phases.
	Phases []Phase `json:"phases,omitempty"`
	// Whether no event may be partial. By default false.
	Details bool `json:"details,omitempty"`
	// The most that a page holds. By default 100.
	Limit int `json:"limit,omitempty"`
	// A former page's nextCursor. On Flyte, later pages report each event as the first page
	// found it, unless something newer is known by then.
	Cursor string `json:"cursor,omitempty"`
}

// EventPage: Some events, in creation order.
type EventPage struct {
	// At most as many as the limit.
	Events []*Event `json:"events"`
	// Where the next page begins; none at the end.
	NextCursor string `json:"nextCursor,omitzero"`
}

// GetParams: Which event to get.
type GetParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run's name.
	RunName string `json:"runName"`
	// The event's name.
	Name string `json:"name,omitempty"`
	// The action that the event is under.
	Parent string `json:"parent,omitempty"`
	// The event's id within the run.
	ActionName string `json:"actionName,omitempty"`
}

// CreateParams: The event to make. Embedded store only.
type CreateParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run that asks.
	RunName string `json:"runName"`
	// The event's name, new under its parent.
	Name string `json:"name"`
	// By default bool.
	ExpectedType ExpectedType `json:"expectedType,omitempty"`
	// By default Approve?
	Prompt string `json:"prompt,omitempty"`
	// By default text.
	PromptType PromptType `json:"promptType,omitempty"`
	// More about the question.
	Description string `json:"description,omitempty"`
	// It times out so long after it was made. By default never.
	ExpiresInSeconds float64 `json:"expiresInSeconds,omitempty"`
	// By default a0.
	Parent string `json:"parent,omitempty"`
	// The group it stands in.
	Group string `json:"group,omitempty"`
}

// SignalParams: Which event to answer, and with what.
type SignalParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run's name.
	RunName string `json:"runName"`
	// The event's name.
	Name string `json:"name,omitempty"`
	// The action that the event is under.
	Parent string `json:"parent,omitempty"`
	// The event's id within the run.
	ActionName string `json:"actionName,omitempty"`
	// The answer.
	Payload Payload `json:"payload"`
	// What the payload is; must equal the declared type, if there is one.
	PayloadType ExpectedType `json:"payloadType,omitempty"`
}

// WaitParams: Which event to wait for.
type WaitParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run's name.
	RunName string `json:"runName"`
	// The event's name.
	Name string `json:"name,omitempty"`
	// The action that the event is under.
	Parent string `json:"parent,omitempty"`
	// The event's id within the run.
	ActionName string `json:"actionName,omitempty"`
	// Also wait for an event that does not exist yet. By default false.
	AwaitCreation bool `json:"awaitCreation,omitempty"`
}

// AbortParams: Which event to end without an answer.
type AbortParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The run's name.
	RunName string `json:"runName"`
	// The event's name.
	Name string `json:"name,omitempty"`
	// The action that the event is under.
	Parent string `json:"parent,omitempty"`
	// The event's id within the run.
	ActionName string `json:"actionName,omitempty"`
	// Why, for a person.
	Reason string `json:"reason,omitempty"`
}

// PendingParams: Of which place to list the events that wait for an answer.
type PendingParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The most that a page holds. By default 100.
	Limit int `json:"limit,omitempty"`
	// A former page's nextCursor.
	Cursor string `json:"cursor,omitempty"`
}

// RunsParams: Which runs to list.
type RunsParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// Only runs with pending events. By default false.
	PendingOnly bool `json:"pendingOnly,omitempty"`
	// The most that a page holds. By default 100.
	Limit int `json:"limit,omitempty"`
	// A former page's nextCursor.
	Cursor string `json:"cursor,omitempty"`
}

// RunPage: Some runs, the last created first.
type RunPage struct {
	// At most as many as the limit.
	Runs []*RunInfo `json:"runs"`
	// Where the next page begins; none at the end.
	NextCursor string `json:"nextCursor,omitzero"`
}

// RunInfo: A run, and how many of its events wait for an answer.
type RunInfo struct {
	// The run's name.
	RunName string `json:"runName"`
	// The run's organization.
	Org string `json:"org,omitzero"`
	// The run's project.
	Project string `json:"project,omitzero"`
	// The run's domain.
	Domain string `json:"domain,omitzero"`
	// As an event's; none where runs have none, as in the embedded store.
	Phase Phase `json:"phase,omitzero"`
	// When the run was made.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// How many of its events are pending.
	PendingEvents int `json:"pendingEvents"`
}

// WatchParams: What to watch: a run, an action's events, or all pending events.
type WatchParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// By default the connection's.
	Org string `json:"org,omitempty"`
	// By default the connection's.
	Project string `json:"project,omitempty"`
	// By default the connection's.
	Domain string `json:"domain,omitempty"`
	// The client's name for the watch, unlike those of its open ones.
	Watch string `json:"watch"`
	// The run. By default all pending events are watched.
	RunName string `json:"runName,omitempty"`
	// Only events under this action.
	Parent string `json:"parent,omitempty"`
}

// WatchEnd: Why a watch ended: its client cancelled it, the sidecar shut down, or it is
// finished: the run is over, and all its events are resolved. On Flyte, events that are open
// when their run ends stay so until the cluster collects the run.
//
// The set is open: a newer sidecar may send others.
type WatchEnd string

const (
	WatchEndCancelled WatchEnd = "cancelled"
	WatchEndShutdown  WatchEnd = "shutdown"
	WatchEndFinished  WatchEnd = "finished"
)

// WatchResult: How a watch ended.
type WatchResult struct {
	Reason WatchEnd `json:"reason"`
}

// UnwatchParams: Which watch to end.
type UnwatchParams struct {
	// Past so many seconds the request is answered with deadline_exceeded.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// Its name.
	Watch string `json:"watch"`
}

// Status: How the sidecar is.
type Status struct {
	// Since the process began to serve.
	UptimeSeconds float64  `json:"uptimeSeconds"`
	Counters      Counters `json:"counters"`
	// MAJOR.MINOR of the wire contract.
	ProtocolVersion string `json:"protocolVersion"`
	// Differs where the schemas differ.
	SchemaHash string        `json:"schemaHash"`
	Backend    BackendStatus `json:"backend"`
}

// Counters: What the sidecar has done since it started, and does now.
type Counters struct {
	// Requests and notifications taken.
	Requests int `json:"requests"`
	// Errors answered.
	Errors int `json:"errors"`
	// Requests at work, waits included.
	InFlight int `json:"inFlight"`
	// Open waits.
	Waits int `json:"waits"`
	// Open watches.
	Watches int `json:"watches"`
}

// BackendStatus: Where the events are kept, and whether it answers.
type BackendStatus struct {
	// local or flyte.
	Kind string `json:"kind"`
	// The Flyte deployment's HOST:PORT.
	Endpoint string `json:"endpoint,omitzero"`
	// The organization of requests that name none.
	Org string `json:"org,omitzero"`
	// The project of requests that name none.
	Project string `json:"project,omitzero"`
	// The domain of requests that name none.
	Domain string `json:"domain,omitzero"`
	// Whether it answers now.
	Healthy bool `json:"healthy"`
}
