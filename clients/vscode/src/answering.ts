/** The commands about events: what a person chooses and types before the server runs them. */

import { type CancellationToken, commands, type QuickPickItem, window } from "vscode";
import { showDocument } from "./documents.ts";
import type { EventStore } from "./eventStore.ts";
import { type EventTree, isEventNode } from "./eventTree.ts";
import { type Event, type EventArgument, eventArgument, keyOf, type Question } from "./protocol.ts";
import { age, isApproval, plain, prompt, title } from "./texts.ts";

/** Runs a command of the server. */
export type Execute = (command: string, args: readonly unknown[]) => Promise<unknown>;

/** The argument with which a key binding refers to the selected event of the view. */
const SELECTION = "selection";

const APPROVE = "Approve";
const REJECT = "Reject";
const ANSWER = "Answer…";
const SHOW = "Show";

/** Asks a person for what the commands of the server need. */
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
   * Runs a command of the server. Its arguments come from a lens, from an item of the tree or from
   * a key binding. Without arguments, the person chooses an event.
   */
  async run(command: string, args: readonly unknown[]): Promise<unknown> {
    const [, value] = args;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      return this.#execute(command, args); // nothing is left to ask for
    }
    switch (command) {
      case "flyteSidecar.approve":
      case "flyteSidecar.reject": {
        const verb = command === "flyteSidecar.approve" ? APPROVE : REJECT;
        const target = await this.#target(args, `${verb} which event?`, isApproval);
        return target && this.#execute(command, [target]);
      }
      case "flyteSidecar.signal": {
        const target = await this.#target(args, "Answer which event?");
        return target && this.#answer(target);
      }
      case "flyteSidecar.abort": {
        const target = await this.#target(args, "Abort which event?");
        return target && this.#abort(target);
      }
      case "flyteSidecar.showEvent": {
        const target = await this.#target(args, "Show which event?");
        return target && show(target);
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
    const question = plain(message, 500);
    let chosen = await window.showInformationMessage(question, ...answers, SHOW);
    if (chosen === SHOW && !token.isCancellationRequested) {
      await show(target);
      chosen = await window.showInformationMessage(question, ...answers);
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
        detail: prompt(event),
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
    [argument]: readonly unknown[],
    placeHolder: string,
    isSuitable: (event: Event) => boolean = () => true,
  ): Promise<EventArgument | undefined> {
    let event: Event | undefined;
    if (isEventNode(argument)) event = argument.event;
    else if (argument === SELECTION) event = this.#tree.selected;
    else if (argument) return argument as EventArgument;
    event ??= await this.pick(placeHolder, isSuitable);
    return event && this.#argument(event);
  }

  #argument(event: Event): EventArgument {
    return eventArgument(event, this.#store.backend);
  }

  /** Asks for the answer to an event of any type. */
  async #answer(target: EventArgument): Promise<unknown> {
    const event = this.#store.waiting.find((event) => keyOf(event) === keyOf(target));
    if (event === undefined) return show(target); // the document shows what has happened
    if (!isApproval(event)) return this.#perform(ANSWER, target, event);
    const options = { title: title(event), placeHolder: prompt(event) };
    const chosen = await window.showQuickPick([APPROVE, REJECT, SHOW], options);
    return this.#perform(chosen, target, event);
  }

  async #perform(
    chosen: string | undefined,
    target: EventArgument,
    event: Event,
  ): Promise<unknown> {
    if (chosen === APPROVE) return this.#execute("flyteSidecar.approve", [target]);
    if (chosen === REJECT) return this.#execute("flyteSidecar.reject", [target]);
    if (chosen === SHOW) return show(target);
    const text = chosen === ANSWER ? await this.#input(event) : undefined;
    return text === undefined ? null : this.#execute("flyteSidecar.answer", [target, text]);
  }

  /** Asks for a text that is valid for the type of an event. */
  async #input(event: Event): Promise<string | undefined> {
    const check = async (text: string) => {
      const problem = await this.#execute("flyteSidecar.checkAnswer", [event.expectedType, text]);
      return problem === null ? undefined : plain(String(problem));
    };
    // A problem replaces the prompt, which is shown until something was typed or confirmed.
    let isUntouched = true;
    for (;;) {
      const text = await window.showInputBox({
        title: `Answer ${title(event)}`,
        prompt: prompt(event),
        placeHolder: event.expectedType ?? "",
        ignoreFocusOut: true,
        validateInput: (text) => {
          isUntouched &&= text === "";
          return isUntouched ? undefined : check(text);
        },
      });
      if (text === undefined || (await check(text)) === undefined) return text;
      isUntouched = false;
    }
  }

  async #abort(target: EventArgument): Promise<unknown> {
    const reason = await window.showInputBox({
      title: `Abort ${title(target)}`,
      prompt: "The task that waits for the event fails.",
      placeHolder: "Reason (optional)",
      ignoreFocusOut: true,
    });
    if (reason === undefined) return null;
    return this.#execute("flyteSidecar.abort", reason === "" ? [target] : [target, reason]);
  }
}

async function show(target: EventArgument): Promise<void> {
  const { command, arguments: args = [] } = showDocument(target, false);
  await commands.executeCommand(command, ...args);
}
