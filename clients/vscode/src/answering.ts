/** The commands about events: what the person chooses and types before the server runs them. */

import { type CancellationToken, type QuickPickItem, window } from "vscode";
import type { EventStore } from "./eventStore.ts";
import { type EventTree, isEventNode } from "./eventTree.ts";
import { type Event, type EventArgument, eventArgument, keyOf, type Question } from "./protocol.ts";
import { age, isApproval, plain, title } from "./texts.ts";

/** Sends a command to the server. */
export type Execute = (command: string, args: readonly unknown[]) => Promise<unknown>;

const APPROVE = "Approve";
const REJECT = "Reject";
const ANSWER = "Answer…";
const SHOW = "Show";

/** Asks the person for what the commands of the server need. */
export class Answering {
  readonly #store: EventStore;
  readonly #tree: EventTree;
  readonly #execute: Execute;

  constructor(store: EventStore, tree: EventTree, execute: Execute) {
    this.#store = store;
    this.#tree = tree;
    this.#execute = execute;
  }

  /**
   * Runs a command of the server. Its arguments come from a code lens, from an item of the tree, or
   * are absent: then the person chooses an event.
   */
  async run(command: string, args: readonly unknown[]): Promise<unknown> {
    switch (command) {
      case "flyteSidecar.approve":
      case "flyteSidecar.reject": {
        const verb = command === "flyteSidecar.approve" ? APPROVE : REJECT;
        const target = await this.#target(args, `${verb} which event?`, isApproval);
        return target && this.#execute(command, [target]);
      }
      case "flyteSidecar.signal": {
        if (args.length > 1 && !isEventNode(args[0])) return this.#execute(command, args);
        const target = await this.#target(args, "Answer which event?");
        return target && this.#answer(target);
      }
      case "flyteSidecar.abort": {
        if (args.length > 1 && !isEventNode(args[0])) return this.#execute(command, args);
        const target = await this.#target(args, "Abort which event?");
        return target && this.#abort(target);
      }
      case "flyteSidecar.showEvent": {
        const target = await this.#target(args, "Show which event?");
        return target && this.#execute(command, [target]);
      }
      case "flyteSidecar.showPending": {
        const [name] = args;
        const event = await this.pick("Answer which event?", (event) => {
          return typeof name !== "string" || event.name === name;
        });
        return event && this.#answer(this.#argument(event));
      }
      default:
        return this.#execute(command, args);
    }
  }

  /** Shows a question of the server, and does what the person chooses. */
  async ask({ event, backend, message }: Question, token: CancellationToken): Promise<void> {
    const target = eventArgument(event, backend);
    const answers = isApproval(event) ? [APPROVE, REJECT] : [ANSWER];
    let chosen = await window.showInformationMessage(plain(message, 500), ...answers, SHOW);
    if (chosen === SHOW) {
      await this.#execute("flyteSidecar.showEvent", [target]);
      if (token.isCancellationRequested) return;
      chosen = await window.showInformationMessage(plain(message, 500), ...answers);
    }
    await this.#perform(chosen, target, event);
  }

  /** Lets the person choose a waiting event. */
  async pick(
    placeHolder: string,
    isSuitable: (event: Event) => boolean,
  ): Promise<Event | undefined> {
    const now = Date.now();
    const items = this.#store.waiting
      .filter(isSuitable)
      .map((event): QuickPickItem & { event: Event } => ({
        label: plain(event.name),
        description: [plain(event.runName), age(event, now)].filter(Boolean).join(" · "),
        detail: plain(event.prompt ?? ""),
        event,
      }));
    if (items.length === 0) {
      window.showInformationMessage("No event is waiting for this.");
      return undefined;
    }
    const options = { placeHolder, matchOnDescription: true, matchOnDetail: true };
    return (await window.showQuickPick(items, options))?.event;
  }

  /** Returns the event that the arguments of a command refer to, or that the person chooses. */
  async #target(
    args: readonly unknown[],
    placeHolder: string,
    isSuitable: (event: Event) => boolean = () => true,
  ): Promise<EventArgument | undefined> {
    const [first] = args;
    if (isEventNode(first)) return this.#argument(first.event);
    if (first === SELECTION) {
      const selected = this.#tree.selected;
      return selected && this.#argument(selected);
    }
    if (first !== undefined && first !== null) return first as EventArgument;
    const event = await this.pick(placeHolder, isSuitable);
    return event && this.#argument(event);
  }

  #argument(event: Event): EventArgument {
    return eventArgument(event, this.#store.backend);
  }

  async #answer(target: EventArgument): Promise<unknown> {
    const event = this.#store.waiting.find((event) => keyOf(event) === keyOf(target));
    // The server reports what has happened to the event.
    if (event === undefined) return this.#execute("flyteSidecar.showEvent", [target]);
    if (!isApproval(event)) return this.#perform(ANSWER, target, event);
    const options = { title: title(event), placeHolder: plain(event.prompt ?? "") };
    const chosen = await window.showQuickPick([APPROVE, REJECT, SHOW], options);
    return this.#perform(chosen, target, event);
  }

  async #perform(
    chosen: string | undefined,
    target: EventArgument,
    event: Event,
  ): Promise<unknown> {
    switch (chosen) {
      case APPROVE:
        return this.#execute("flyteSidecar.approve", [target]);
      case REJECT:
        return this.#execute("flyteSidecar.reject", [target]);
      case SHOW:
        return this.#execute("flyteSidecar.showEvent", [target]);
      case ANSWER: {
        const text = await this.#input(event);
        return text === undefined ? null : this.#execute("flyteSidecar.answer", [target, text]);
      }
      default:
        return null;
    }
  }

  /** Asks for a text that is valid for the type of the event. */
  async #input(event: Event): Promise<string | undefined> {
    const check = (text: string) =>
      this.#execute("flyteSidecar.checkAnswer", [event.expectedType, text]) as Promise<
        string | null
      >;
    let untouched = true; // the prompt is shown until the person has typed something
    for (;;) {
      const text = await window.showInputBox({
        title: `Answer ${title(event)}`,
        prompt: plain(event.prompt ?? ""),
        placeHolder: event.expectedType ?? "",
        ignoreFocusOut: true,
        validateInput: async (text) => {
          if (untouched && text === "") return undefined;
          untouched = false;
          return check(text);
        },
      });
      if (text === undefined || (await check(text)) === null) return text;
      untouched = false;
    }
  }

  async #abort(target: EventArgument): Promise<unknown> {
    const reason = await window.showInputBox({
      title: `Abort ${plain(target.name)} of run ${plain(target.runName)}`,
      prompt: "The task of the run that waits for the event fails.",
      placeHolder: "Reason (optional)",
    });
    return reason === undefined
      ? null
      : this.#execute("flyteSidecar.abort", reason === "" ? [target] : [target, reason]);
  }
}

/** The argument of the key bindings of the view. */
const SELECTION = "selection";
