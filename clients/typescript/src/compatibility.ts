import { IncompatibleError } from "./errors.js";
import { PROTOCOL_VERSION } from "./generated/methods.js";
import type { InitializeResult } from "./generated/types.js";
import { VERSION } from "./generated/version.js";

/**
 * Compares the sidecar's version of the protocol with the client's.
 *
 * Gives words on an older sidecar, and undefined where all is well.
 *
 * @throws {IncompatibleError} if the sidecar is of another major version
 */
export function compare(server: InitializeResult, client = PROTOCOL_VERSION): string | undefined {
  const [major, minor] = parts(server.protocolVersion);
  const [ownMajor, ownMinor] = parts(client);
  if (major === ownMajor) return minor < ownMinor ? older(server, client) : undefined;
  const advice =
    major < ownMajor ? "upgrade the sidecar" : "upgrade this package, or use an older sidecar";
  throw new IncompatibleError(
    `the sidecar (${server.serverInfo?.version}) speaks protocol ${server.protocolVersion}, ` +
      `and this client (${VERSION}) protocol ${client}: ${advice}`,
  );
}

function older(server: InitializeResult, client: string): string {
  return (
    `the sidecar (${server.serverInfo?.version}, protocol ${server.protocolVersion}) ` +
    `is older than this client (protocol ${client})`
  );
}

function parts(version: string): [major: number, minor: number] {
  const [major = Number.NaN, minor = 0] = version.split(".").map(Number);
  return [major, minor];
}
