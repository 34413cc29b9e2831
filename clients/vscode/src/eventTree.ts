/** The view "Waiting Events". */

import {
  type CancellationToken,
  EventEmitter,
  MarkdownString,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  type Uri,
  window,
} from "vscode";
import { documentUri, showDocument, webUrl } from "./documents.ts";
import type { EventStore, State } from "./eventStore.ts";
import { type Event, eventArgument, keyOf, runKeyOf } from "./protocol.ts";
import { age, isApproval, outcome, plain, prompt, title, waitingText } from "./texts.ts";

export const VIEW = "flyteSidecar.waiting";

/** Milliseconds after the last change until the ages are updated. */
const AGE_INTERVAL = 30_000;

/** The waiting events of a run. */
export interface RunNode {
  readonly kind: "run";
  readonly events: readonly [Event, ...Event[]];
}

/** An event that waits or has ended. */
export interface EventNode {
  readonly kind: "event";
  readonly event: Event;
}

/** The events that have ended. */
export interface RecentNode {
  readonly kind: "recent";
}

/** A command to run when the events are not up to date. */
export interface ActionNode {
  readonly kind: "action";
  readonly label: string;
  readonly icon: string;
  readonly command: string;
}

export type Node = RunNode | EventNode | RecentNode | ActionNode;

/** Returns whether an argument of a command is an event of the tree. */
export function isEventNode(argument: unknown): argument is EventNode {
  return (argument as EventNode | undefined)?.kind === "event";
}

/** Returns the text of a document of the server. */
export type ReadDocument = (uri: Uri, token: CancellationToken) => Promise<string>;

/** Shows the events of the store as a tree, the badge, and what is wrong. */
export class EventTree implements TreeDataProvider<Node> {
  readonly #store: EventStore;
  readonly #read: ReadDocument;
  readonly #changed = new EventEmitter<Node | undefined>();
  readonly #view: TreeView<Node>;
  readonly #disposables: readonly { dispose(): void }[];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(store: EventStore, read: ReadDocument) {
    this.#store = store;
    this.#read = read;
    this.#view = window.createTreeView(VIEW, { treeDataProvider: this });
    const timer = setInterval(() => {
      if (this.#view.visible && store.waiting.length > 0) this.#changed.fire(undefined);
    }, AGE_INTERVAL);
    this.#disposables = [
      this.#view,
      this.#changed,
      store.onDidChange(() => {
        timer.refresh();
        this.#update();
      }),
      { dispose: () => clearInterval(timer) },
    ];
  }

  /** The selected event. */
  get selected(): Event | undefined {
    const [node] = this.#view.selection;
    return node?.kind === "event" && node.event.pending ? node.event : undefined;
  }

  get isVisible(): boolean {
    return this.#view.visible;
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) return this.#roots();
    if (node.kind === "run") return node.events.map((event) => ({ kind: "event", event }));
    if (node.kind === "recent") {
      return this.#store.recent.map((event) => ({ kind: "event", event }));
    }
    return [];
  }

  getTreeItem(node: Node): TreeItem {
    switch (node.kind) {
      case "run":
        return runItem(node);
      case "event":
        return node.event.pending
          ? this.#waitingItem(node.event)
          : endedItem(node.event, this.#store.backend);
      case "recent": {
        const item = new TreeItem("Recent", TreeItemCollapsibleState.Collapsed);
        item.id = "recent";
        item.iconPath = new ThemeIcon("history");
        return item;
      }
      case "action": {
        const item = new TreeItem(node.label);
        item.id = `action ${node.command}`;
        item.iconPath = new ThemeIcon(node.icon);
        item.command = { command: node.command, title: node.label };
        return item;
      }
    }
  }

  /** Adds the document of an event as its tooltip. */
  async resolveTreeItem(item: TreeItem, node: Node, token: CancellationToken): Promise<TreeItem> {
    if (node.kind === "event") {
      const uri = documentUri(eventArgument(node.event, this.#store.backend));
      item.tooltip = new MarkdownString(await this.#read(uri, token));
    }
    return item;
  }

  #roots(): Node[] {
    const runs = new Map<string, [Event, ...Event[]]>();
    for (const event of this.#store.waiting) {
      const events = runs.get(runKeyOf(event));
      if (events === undefined) runs.set(runKeyOf(event), [event]);
      else events.push(event);
    }
    const roots: Node[] = [...runs.values()].map((events) => ({ kind: "run", events }));
    if (this.#store.recent.length > 0) roots.push({ kind: "recent" });
    if (this.#store.state in PROBLEMS) {
      roots.unshift(this.#store.state === "stopped" ? RESTART : RETRY, SHOW_OUTPUT);
    }
    return roots;
  }

  #waitingItem(event: Event): TreeItem {
    const item = new TreeItem(plain(event.name));
    const details = [age(event, Date.now()), prompt(event)].filter(Boolean);
    item.id = keyOf(event);
    item.description = details.join(" · ");
    item.iconPath = new ThemeIcon(ICONS[event.expectedType ?? "bool"] ?? "question");
    item.contextValue = contextValue(event);
    item.command = showDocument(eventArgument(event, this.#store.backend), true);
    item.accessibilityInformation = {
      label: `${title(event)} waits for an answer, ${details.join(", ")}`,
    };
    return item;
  }

  #update(): void {
    const { count } = this.#store;
    this.#view.badge = count > 0 ? { value: count, tooltip: waitingText(count) } : undefined;
    this.#view.message = message(this.#store) as string; // undefined removes it
    this.#changed.fire(undefined);
  }
}

function runItem({ events }: RunNode): TreeItem {
  const [event] = events;
  const item = new TreeItem(plain(event.runName), TreeItemCollapsibleState.Expanded);
  item.id = runKeyOf(event);
  item.description = `${events.length} waiting`;
  item.iconPath = new ThemeIcon("play-circle");
  item.contextValue = "run";
  item.accessibilityInformation = {
    label: `Run ${plain(event.runName)}, ${waitingText(events.length)}`,
  };
  return item;
}

function endedItem(event: Event, backend: string): TreeItem {
  const item = new TreeItem(plain(event.name));
  item.id = keyOf(event);
  item.description = `${outcome(event)} · ${plain(event.runName)}`;
  item.iconPath = endedIcon(event);
  item.contextValue = contextValue(event);
  item.command = showDocument(eventArgument(event, backend), true);
  item.accessibilityInformation = { label: `${title(event)}, ${outcome(event)}` };
  return item;
}

function endedIcon({ phase, payload }: Event): ThemeIcon {
  if (phase !== "SUCCEEDED") return new ThemeIcon("circle-slash");
  return new ThemeIcon(payload === false ? "close" : "check");
}

/** Returns the words that the `when` clauses of the menus look for. */
function contextValue(event: Event): string {
  const words = [event.pending ? "waiting" : "ended", isApproval(event) ? "approval" : "input"];
  if (webUrl(event.url) !== undefined) words.push("page");
  return words.join(" ");
}

/** Returns the text above the tree. */
function message({ count, error, omitted, recent, state }: EventStore): string | undefined {
  const lines = [];
  const problem = PROBLEMS[state];
  if (problem !== undefined) {
    const reason = error === null ? "" : `: ${plain(error, 500).replace(/\.$/, "")}`;
    lines.push(`${problem}${reason}.`);
  }
  if (omitted > 0) lines.push(`${omitted} more waiting events are not shown.`);
  // Without this, only "Recent" would be shown.
  if (state === "ready" && count === 0 && recent.length > 0) lines.push("No event is waiting.");
  return lines.length > 0 ? lines.join(" ") : undefined;
}

const PROBLEMS: Partial<Record<State, string>> = {
  disconnected: "The connection to the backend is lost",
  failed: "The events cannot be read",
  stopped: "The server has stopped",
};

const RETRY: ActionNode = {
  kind: "action",
  label: "Retry",
  icon: "refresh",
  command: "flyteSidecar.refresh",
};

const RESTART: ActionNode = {
  kind: "action",
  label: "Restart",
  icon: "debug-restart",
  command: "flyteSidecar.restart",
};

const SHOW_OUTPUT: ActionNode = {
  kind: "action",
  label: "Show Output",
  icon: "output",
  command: "flyteSidecar.showOutput",
};

const ICONS: Readonly<Record<string, string>> = {
  bool: "question",
  float: "symbol-numeric",
  int: "symbol-numeric",
  str: "symbol-string",
};
