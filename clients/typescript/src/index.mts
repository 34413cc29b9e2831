// A second build would define its own classes, and `instanceof` would fail across the two.

export type * from "./index.js";
export {
  AbortError,
  Client,
  ClosedError,
  DisconnectedError,
  IncompatibleError,
  InvalidResponseError,
  PROTOCOL_VERSION,
  RequestError,
  SCHEMA_HASH,
  SidecarError,
  SpawnError,
} from "./index.js";
