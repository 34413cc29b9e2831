import type { Readable } from "node:stream";

const NEWLINE = 0x0a;

/** The longest line that is read, in bytes. Of what sidecars write, none is nearly so long. */
export const MAX_LINE = 256 * 1024 * 1024;

/** A JSON-RPC message, of which nothing else is known yet. */
export type Message = Record<string, unknown>;

/**
 * Reads messages, one a line.
 *
 * All that a chunk holds is taken before anything else runs. The first line that is no message,
 * or too long, is the last that is looked at.
 */
export function readLines(
  input: Readable,
  take: (message: Message) => void,
  refuse: (error: unknown) => void,
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
      if (text.trim() !== "") take(parse(text));
    }
    if (start < chunk.length) add(chunk.subarray(start));
    // Without a look at its beginning, a line of anything but JSON might never end.
    const first = line[0]?.toString("latin1", 0, 80).trimStart();
    if (first && !first.startsWith("{")) throw unreadable(first);
  };
  const read = (chunk: Buffer | string): void => {
    try {
      split(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    } catch (error) {
      input.off("data", read);
      refuse(error);
    }
  };
  input.on("data", read);
}

function parse(line: string): Message {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw unreadable(line);
  }
  if (typeof message !== "object" || message === null || !("jsonrpc" in message)) {
    throw unreadable(line);
  }
  return message as Message;
}

function unreadable(line: string): Error {
  const start = line.length > 80 ? `${line.slice(0, 80)}...` : line;
  return new Error(`it is not JSON-RPC: ${JSON.stringify(start)}`);
}
