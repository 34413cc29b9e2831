// Nothing here runs. The test is that it compiles.
import {
  AbortError,
  type Client,
  type Event,
  type Payload,
  RequestError,
  SidecarError,
  type Target,
  type WatchNotification,
  type WatchResult,
} from "flyte-sidecar";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_ extends true>(): void => {};

holds<Same<Payload, boolean | number | bigint | string>>();
holds<Same<Event["payload"], Payload | null>>();

export async function methods(client: Client): Promise<void> {
  const { events, nextCursor } = await client.events.list({ runName: "r1", phases: ["PAUSED"] });
  holds<Same<typeof events, Event[]>>();
  await client.events.pending();
  await client.events.list({ runName: "r1", phases: ["DREAMING"], cursor: nextCursor });
  await client.events.list({ runName: "r1", parent: events[0]?.parent });
  await client.events.signal({ runName: "r1", name: "deploy", payload: 1n });
  await client.events.get({ runName: "r1", actionName: "a1", name: null, parent: undefined });
  await client.events.wait({ runName: "r1", name: "deploy", parent: null, awaitCreation: true });
  const { runName, actionName, org, project, domain } = events[0] as Event;
  await client.events.abort({ runName, actionName, org, project, domain, reason: "late" });
  const target: Target & { runName: string } = { runName: "r1", name: "deploy" };
  await client.events.get({ ...target, timeoutSeconds: 5 });
  // @ts-expect-error either name or actionName is required
  await client.events.get({ runName: "r1" });
  // @ts-expect-error both are not allowed
  await client.events.get({ runName: "r1", name: "deploy", actionName: "a1" });
  // @ts-expect-error actionName cannot be combined with parent
  await client.events.abort({ runName: "r1", actionName: "a1", parent: "a0" });
  // @ts-expect-error parent alone selects no event
  await client.events.signal({ runName: "r1", parent: "a0", payload: true });
  // @ts-expect-error runName is required
  await client.events.list({});
  // @ts-expect-error payload is required
  await client.events.signal({ runName: "r1", name: "deploy" });
  // @ts-expect-error a payload is not an object
  await client.events.signal({ runName: "r1", name: "deploy", payload: {} });
  // @ts-expect-error unknown params are not allowed
  await client.events.list({ runName: "r1", run: "r1" });
  // @ts-expect-error expectedType is a closed enum in params
  await client.events.create({ runName: "r1", name: "deploy", expectedType: "date" });
  const raw = await client.request("events.get", { runName: "r1" });
  holds<Same<typeof raw, unknown>>();
}

export async function watches(client: Client): Promise<WatchResult> {
  const watch = client.events.watch();
  for (;;) {
    const { done, value } = await watch.next();
    if (done) return value;
    notification(value);
  }
}

function notification(value: WatchNotification): string {
  switch (value.method) {
    case "events.changed":
      return value.params.event.name;
    case "events.disconnected":
      return value.params.error.message;
    case "events.synced":
    case "events.resynced":
      return `${value.params.watch} ${value.params.sequence}`;
    default:
      return value satisfies never;
  }
}

export function open(event: Event): string {
  // Known values are suggested, and others are allowed.
  if (event.phase === "PAUSED" || event.phase === "DREAMING") return event.phase;
  const other: string = event.phase;
  const mine: Event["phase"] = "DREAMING";
  return other + mine;
}

export function errors(error: unknown): Event | string | undefined {
  if (error instanceof AbortError) return error.data.outcome;
  if (error instanceof RequestError && error.kind === "already_signalled") return error.data.event;
  if (error instanceof SidecarError) return error.kind;
  return undefined;
}
