// The examples of docs/clients/node.md, one after the other.
import { AbortError, Client, RequestError } from "flyte-sidecar";

const runName = "training-7";

// region start
const client = await Client.spawn({
  args: ["--store", "events.db"], // default: the embedded store of the user
  stderr: process.stderr, // default: the log is discarded
  signal: AbortSignal.timeout(10_000), // limits the start
});
// endregion

await client.events.create({ runName, name: "deploy", prompt: "Deploy the model?" });
await client.events.create({ runName, name: "rate", expectedType: "float" });
await client.events.create({ runName, name: "steps", expectedType: "int" });
await client.events.create({ runName, name: "publish" });
await client.events.create({ runName, name: "notify" });

// region list
for await (const event of client.events.listAll({ runName: "training-7", phases: ["PAUSED"] })) {
  console.log(event.name, event.expectedType, event.prompt);
}
// endregion

// region answer
const target = { runName: "training-7", name: "deploy" };
const answered = await client.events.signal({ ...target, payload: true });
console.log(answered.phase, answered.payload);
// endregion

// region payloads
await client.events.signal({ runName: "training-7", name: "rate", payload: 3 }); // as 3.0
await client.events.signal({ runName: "training-7", name: "steps", payload: 2n ** 60n });
const steps = await client.events.get({ runName: "training-7", name: "steps" });
console.log(steps?.payload); // a bigint, with all digits
// endregion

// region wait
const event = await client.events.wait({ runName: "training-7", name: "rate", timeoutSeconds: 600 });
if (event.phase === "SUCCEEDED") console.log("the rate is", event.payload);
else console.log("no answer:", event.phase, event.abortReason);
// endregion

// region watch
for await (const notification of client.events.watch({ runName: "training-7" })) {
  if (notification.method === "events.changed") {
    const { change, event } = notification.params;
    console.log(change, event.name, event.phase);
  } else if (notification.method === "events.synced") {
    break; // all current events were reported; without this line, changes follow
  }
}
// endregion

// region cancel
try {
  const signal = AbortSignal.timeout(100);
  await client.events.wait({ runName: "training-7", name: "publish" }, { signal });
} catch (error) {
  if (!(error instanceof AbortError)) throw error;
  console.log("nobody answered in time");
}
// endregion

// region errors
try {
  await client.events.signal({ runName: "training-7", name: "deploy", payload: false });
} catch (error) {
  if (!(error instanceof RequestError) || error.kind !== "already_signalled") throw error;
  console.log("already answered with", error.data.event?.payload);
}
// endregion

// region several
const events = [];
for await (const event of client.events.pendingAll()) {
  const { expectedType, runName, actionName, org, project, domain } = event;
  if (expectedType === "bool") events.push({ runName, actionName, org, project, domain });
}
const { results } = await client.events.signalMany({ events, payload: true });
for (const { event, error } of results) {
  console.log(event ? `approved ${event.name}` : `failed: ${error?.message}`);
}
// endregion

// region login
const deployment = await Client.spawn({
  args: ["--backend", "flyte", "--endpoint", "flyte.example.com"],
  onAuthRequired: ({ url, userCode }) => console.error("log in:", url, userCode ?? ""),
});
// endregion
await deployment.close();

// region close
client.closed.then(({ error }) => {
  if (error) console.error("the sidecar has ended:", error.message);
});
await client.close();
// endregion
