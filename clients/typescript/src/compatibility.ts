import { IncompatibleError } from "./errors.js";
import { PROTOCOL_VERSION } from "./generated/methods.js";
import type { InitializeResult } from "./generated/types.js";
import { VERSION } from "./generated/version.js";

/**
 * Compares the protocol version of the sidecar with that of the client.
 *
 * Returns a warning if the sidecar is older, else undefined.
 *
 * @throws {IncompatibleError} if the sidecar uses another major version
 */
export function versionWarning(
  server: InitializeResult,
  clientVersion = PROTOCOL_VERSION,
): string | undefined {
  const [major, minor] = parse(server.protocolVersion);
  const [ownMajor, ownMinor] = parse(clientVersion);
  const name = `the sidecar (${server.serverInfo?.version}, protocol ${server.protocolVersion})`;
  if (major === ownMajor) {
    if (minor >= ownMinor) return undefined;
    return `${name} is older than this client (protocol ${clientVersion})`;
  }
  const advice =
    major < ownMajor ? "upgrade the sidecar" : "upgrade this package, or use an older sidecar";
  throw new IncompatibleError(
    `${name} is incompatible with this client (${VERSION}, protocol ${clientVersion}): ${advice}`,
  );
}

function parse(version: string): [major: number, minor: number] {
  const [major = Number.NaN, minor = 0] = version.split(".").map(Number);
  return [major, minor];
}
