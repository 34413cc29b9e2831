// Another build would have classes of its own, and `instanceof` would fail between the two.

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
