// Answers an event from Node, with nothing but the standard library.
//
//   node approve.mjs RUN NAME PAYLOAD
//
// PAYLOAD is JSON: true, 0.5, '"blue"'.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [runName, name, payload] = process.argv.slice(2);
if (payload === undefined) {
  console.error("usage: node approve.mjs RUN NAME PAYLOAD");
  process.exit(2);
}

const sidecar = spawn("flyte-sidecar", [], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map();
let nextId = 1;

createInterface({ input: sidecar.stdout }).on("line", (line) => {
  const { id, result, error } = JSON.parse(line);
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(Object.assign(new Error(error.message), { kind: error.data.kind }));
  else resolve(result);
});

function request(method, params) {
  const id = nextId++;
  sidecar.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

try {
  const { events } = await request("events.list", { runName, phases: ["PAUSED"] });
  console.log("open:", events.map((event) => event.name).join(", ") || "none");

  const event = await request("events.get", { runName, name });
  if (event) console.log(`${event.name}: ${event.prompt}`);

  const answered = await request("events.signal", { runName, name, payload: JSON.parse(payload) });
  console.log(`${answered.phase} ${JSON.stringify(answered.payload)}`);
} catch (error) {
  console.error(`${error.kind}: ${error.message}`);
  process.exitCode = 1;
} finally {
  sidecar.stdin.end(); // the sidecar ends with its input
}
