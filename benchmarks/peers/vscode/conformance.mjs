// vscode-jsonrpc with a method that responds, and one that waits, for the conformance checks.

import rpc from "vscode-jsonrpc/node";

const REQUEST_CANCELLED = -32800;

const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(process.stdin),
  new rpc.StreamMessageWriter(process.stdout),
);
connection.onRequest("echo", () => "echo");
connection.onRequest("slow", (_params, token) => {
  return new Promise((_resolve, reject) => {
    const cancel = () => reject(new rpc.ResponseError(REQUEST_CANCELLED, "cancelled"));
    if (token.isCancellationRequested) cancel();
    else token.onCancellationRequested(cancel);
  });
});
connection.onClose(() => process.exit(0));
connection.listen();
