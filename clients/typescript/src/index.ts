export type { CallOptions } from "./calls.js";
export { type AttachOptions, Client } from "./client.js";
export type { Ending } from "./connection.js";
export {
  AbortError,
  type ClientErrorKind,
  ClosedError,
  DisconnectedError,
  type Exit,
  IncompatibleError,
  RequestError,
  SidecarError,
  SpawnError,
} from "./errors.js";
export { PROTOCOL_VERSION, SCHEMA_HASH } from "./generated/methods.js";
export type * from "./generated/types.js";
export type { Payload } from "./payload.js";
export type { SpawnOptions } from "./process.js";
