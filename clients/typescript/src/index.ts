export type { CallOptions } from "./caller.js";
export { Client } from "./client.js";
export type { CommandSource, SidecarCommand } from "./command.js";
export {
  AbortError,
  type ClientErrorKind,
  ClosedError,
  type CloseInfo,
  DisconnectedError,
  type ExitInfo,
  IncompatibleError,
  InvalidResponseError,
  RequestError,
  SidecarError,
  SpawnError,
} from "./errors.js";
export { PROTOCOL_VERSION, SCHEMA_HASH } from "./generated/methods.js";
export type * from "./generated/types.js";
export type { LoginHandler } from "./login.js";
export type { AttachOptions, ReadableStream, SpawnOptions, WritableStream } from "./options.js";
export type { Payload } from "./payload.js";
