// Asks a person and continues with the answer: node examples/ask.mjs
import { AbortError, Client } from "flyte-sidecar";

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());

const client = await Client.spawn({ stderr: process.stderr });
try {
  const target = { runName: `training-${process.pid}`, name: "threshold" };
  await client.events.create({ ...target, expectedType: "float", prompt: "Which threshold?" });
  const answer = JSON.stringify({ ...target, payload: 0.75 });
  console.log(
    `Which threshold? Answer in another terminal:\n  flyte-sidecar call events.signal '${answer}'`,
  );

  const event = await client.events.wait(target, { signal: interrupted.signal });
  if (typeof event.payload !== "number") throw new Error(`not answered: ${event.phase}`);
  console.log(`The threshold is ${(event.payload * 100).toFixed(1)} %, from ${event.signalledBy}.`);
} catch (error) {
  if (!(error instanceof AbortError)) throw error;
  console.log("\nCancelled.");
} finally {
  await client.close();
}
