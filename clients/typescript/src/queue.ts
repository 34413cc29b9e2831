import type { Event, EventChanged, WatchNotification } from "./generated/types.js";

/**
 * The unread notifications of a watch.
 *
 * They are coalesced as by the sidecar: a later state of an event replaces an earlier one. The
 * queue therefore grows with the number of events, not with time.
 */
export class NotificationQueue {
  readonly #notifications = new Map<string, WatchNotification>();
  #wake: () => void = () => {};
  #ended = false;

  /** Whether nothing more will be added. */
  get ended(): boolean {
    return this.#ended;
  }

  add(notification: WatchNotification): void {
    if (notification.method === "events.changed") this.#addChange(notification.params);
    else this.#addMarker(notification);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Removes and returns the first notification; undefined if the queue is empty. */
  shift(): WatchNotification | undefined {
    for (const [key, notification] of this.#notifications) {
      this.#notifications.delete(key);
      return notification;
    }
    return undefined;
  }

  /** Resolves when the queue is not empty or has ended. */
  async ready(): Promise<void> {
    if (this.#ended || this.#notifications.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #addChange(params: EventChanged): void {
    if (typeof params.event !== "object" || params.event === null) return;
    const key = eventKey(params.event);
    const earlier = this.#notifications.get(key);
    if (earlier?.method !== "events.changed") {
      this.#notifications.set(key, { method: "events.changed", params });
      return;
    }
    const change = coalesce(earlier.params.change, params.change);
    if (change === undefined) this.#notifications.delete(key);
    else this.#notifications.set(key, { method: "events.changed", params: { ...params, change } });
  }

  #addMarker(notification: Exclude<WatchNotification, { method: "events.changed" }>): void {
    const key = markerKey(notification);
    this.#notifications.delete(key);
    this.#notifications.set(key, notification);
  }
}

/** Returns the key of a notification that makes an unread one with the same key obsolete. */
function markerKey(notification: Exclude<WatchNotification, { method: "events.changed" }>): string {
  switch (notification.method) {
    case "events.disconnected":
    case "events.resynced":
      return `connectivity ${notification.params.backend}`;
    default:
      return notification.method;
  }
}

/** Returns the change that replaces two unread ones; undefined if there is nothing to report. */
function coalesce(earlier: string, later: string): string | undefined {
  if (earlier === "created") return later === "removed" ? undefined : "created";
  if (earlier === "removed" && later === "created") return "updated";
  if (earlier === "resolved" && later === "updated") return "resolved";
  return later;
}

function eventKey(event: Event): string {
  const { org, project, domain, runName, actionName } = event;
  return JSON.stringify([org, project, domain, runName, actionName]);
}
