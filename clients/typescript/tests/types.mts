// Nothing runs here: that this compiles is the test.
import {
  AbortError,
  type Client,
  type Event,
  type Notice,
  type Payload,
  RequestError,
  SidecarError,
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
  // @ts-expect-error a run is needed
  await client.events.list({});
  // @ts-expect-error an answer is needed
  await client.events.signal({ runName: "r1", name: "deploy" });
  // @ts-expect-error no payload is an object
  await client.events.signal({ runName: "r1", payload: {} });
  // @ts-expect-error params are closed
  await client.events.list({ runName: "r1", run: "r1" });
  // @ts-expect-error the types of events are closed where they are given
  await client.events.create({ runName: "r1", name: "deploy", expectedType: "date" });
  const raw = await client.request("events.get", { runName: "r1" });
  holds<Same<typeof raw, unknown>>();
}

export async function watches(client: Client): Promise<WatchResult> {
  const watch = client.events.watch();
  for (;;) {
    const { done, value } = await watch.next();
    if (done) return value;
    notice(value);
  }
}

function notice(value: Notice): string {
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
  // Known values are offered, and others are not ruled out.
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
