import type { Readable } from "node:stream";

const NEWLINE = 0x0a;

/** The largest accepted line, in bytes. Sidecars write far shorter lines. */
export const MAX_LINE = 256 * 1024 * 1024;

/** A JSON-RPC message that is not validated yet. */
export type Message = Record<string, unknown>;

/**
 * Reads messages, one per line, and passes them to `handle`.
 *
 * All messages of a chunk are handled synchronously. Reading stops at the first line that is invalid
 * or too long, or whose handling throws; the error is passed to `fail`.
 */
export function readLines(
  input: Readable,
  handle: (message: Message) => void,
  fail: (error: unknown) => void,
): void {
  let line: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer): void => {
    size += part.length;
    if (size > MAX_LINE) throw new Error(`a line is longer than ${MAX_LINE} bytes`);
    line.push(part);
  };
  const split = (chunk: Buffer): void => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      const text = Buffer.concat(line).toString();
      line = [];
      size = 0;
      start = end + 1;
      if (text.trim() !== "") handle(parse(text));
    }
    if (start < chunk.length) add(chunk.subarray(start));
    // Check the start of an unfinished line: output other than JSON may contain no newline.
    const first = line[0]?.toString("latin1", 0, 80).trimStart();
    if (first && !first.startsWith("{")) throw notJsonRpc(first);
  };
  const read = (chunk: Buffer | string): void => {
    try {
      split(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    } catch (error) {
      input.off("data", read);
      fail(error);
    }
  };
  input.on("data", read);
}

function parse(line: string): Message {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw notJsonRpc(line);
  }
  if (typeof message !== "object" || message === null || !("jsonrpc" in message)) {
    throw notJsonRpc(line);
  }
  return message as Message;
}

function notJsonRpc(line: string): Error {
  const start = line.length > 80 ? `${line.slice(0, 80)}...` : line;
  return new Error(`not JSON-RPC: ${JSON.stringify(start)}`);
}
