import { Client } from "flyte-sidecar";

const client = await Client.spawn();
try {
  for await (const event of client.events.pendingAll()) {
    console.log(event.runName, event.name, event.prompt);
  }
  const answered = await client.events.signal({ runName: "r1", name: "deploy", payload: true });
  console.log(answered.phase, answered.payload);
} finally {
  await client.close();
}
