/** The documents of events, and their pages in the web console. */

import { commands, Uri } from "vscode";
import type { ShowDocumentRequest } from "vscode-languageclient/node";
import { type Event, eventArgument } from "./protocol.ts";

/** The URI scheme of the read-only documents that the server provides. */
export const DOCUMENT_SCHEME = "flyte-event";

/** Returns the URI of the document of an event. */
export function documentUri(event: Event, backend: string): string {
  const query = JSON.stringify(eventArgument(event, backend));
  return Uri.from({ scheme: DOCUMENT_SCHEME, path: `/${event.runName}`, query }).toString();
}

/** Shows the document of an event rendered, and leaves other documents to VS Code. */
export const showDocument: ShowDocumentRequest.MiddlewareSignature = async (
  params,
  token,
  next,
) => {
  const uri = Uri.parse(params.uri);
  if (uri.scheme !== DOCUMENT_SCHEME) return next(params, token);
  await commands.executeCommand("markdown.showPreview", uri);
  return { success: true };
};

/** Returns the page of an event in the web console. */
export function webPage(event: Event): Uri | undefined {
  return event.url === null ? undefined : webUri(event.url);
}

/** Returns a URL as a URI if a browser opens it: no other program may be started by it. */
export function webUri(url: string): Uri | undefined {
  const uri = URL.canParse(url) ? Uri.parse(url) : undefined;
  return uri?.scheme === "https" || uri?.scheme === "http" ? uri : undefined;
}
