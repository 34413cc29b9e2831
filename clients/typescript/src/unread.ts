import type { Event, EventChanged, Notice } from "./generated/types.js";

/**
 * What a watch has told and its reader has not taken yet.
 *
 * Later states of an event take the place of earlier ones, as the sidecar itself folds them, so
 * this grows with the number of events and not with time.
 */
export class Unread {
  readonly #notices = new Map<string, Notice>();
  #wake: () => void = () => {};
  #ended = false;

  /** Whether nothing will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  add(notice: Notice): void {
    if (notice.method === "events.changed") this.#change(notice.params);
    else this.#mark(notice);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Takes the first notice, undefined where there is none. */
  take(): Notice | undefined {
    for (const [key, notice] of this.#notices) {
      this.#notices.delete(key);
      return notice;
    }
    return undefined;
  }

  /** Settles once there is something to take, or the end has come. */
  async news(): Promise<void> {
    if (this.#ended || this.#notices.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #change(params: EventChanged): void {
    if (typeof params.event !== "object" || params.event === null) return;
    const key = identity(params.event);
    const former = this.#notices.get(key);
    if (former?.method !== "events.changed") {
      this.#notices.set(key, { method: "events.changed", params });
      return;
    }
    const change = folded(former.params.change, params.change);
    if (change === undefined) this.#notices.delete(key);
    else this.#notices.set(key, { method: "events.changed", params: { ...params, change } });
  }

  #mark(notice: Exclude<Notice, { method: "events.changed" }>): void {
    this.#notices.delete(notice.method);
    this.#notices.delete(OPPOSITES[notice.method] ?? "");
    this.#notices.set(notice.method, notice);
  }
}

/** That the backend is lost is news until it is found, and the other way round. */
const OPPOSITES: Readonly<Record<string, string>> = {
  "events.disconnected": "events.resynced",
  "events.resynced": "events.disconnected",
};

/** Gives what two changes are to a reader who has seen neither; undefined where it is nothing. */
function folded(former: string, newer: string): string | undefined {
  if (former === "created") return newer === "removed" ? undefined : "created";
  if (former === "removed" && newer === "created") return "updated";
  if (former === "resolved" && newer === "updated") return "resolved";
  return newer;
}

function identity(event: Event): string {
  const { org, project, domain, runName, actionName } = event;
  return JSON.stringify([org, project, domain, runName, actionName]);
}
