import type { Readable } from "node:stream";

const NEWLINE = 0x0a;

/** A JSON-RPC message, of which nothing else is known yet. */
export type Message = Record<string, unknown>;

/**
 * Reads messages, one a line.
 *
 * All that a chunk holds is taken before anything else runs. The first line that is no message
 * is the last that is looked at.
 */
export function readLines(
  input: Readable,
  take: (message: Message) => void,
  refuse: (error: unknown) => void,
): void {
  let line: Buffer[] = [];
  const split = (chunk: Buffer): void => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      line.push(chunk.subarray(start, end));
      const text = Buffer.concat(line).toString();
      line = [];
      start = end + 1;
      if (text.trim() !== "") take(parse(text));
    }
    if (start < chunk.length) line.push(chunk.subarray(start));
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
