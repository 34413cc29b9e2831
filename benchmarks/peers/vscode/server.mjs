// vscode-jsonrpc with one handler, which answers with the object in the file that is its argument.

import { readFileSync } from "node:fs";
import rpc from "vscode-jsonrpc/node";

const event = JSON.parse(readFileSync(process.argv[2], "utf8"));
const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(process.stdin),
  new rpc.StreamMessageWriter(process.stdout),
);
connection.onRequest("events.get", () => event);
connection.listen();
