import type { AuthRequired } from "./generated/types.js";

/** Shows a person that they must log in. */
export type LoginHandler = (login: AuthRequired) => void;

/** The method of the notification that a `LoginHandler` receives. */
export const AUTH_REQUIRED = "sidecar.authRequired";

/** Prints what a person must do, as Node prints warnings. */
export function warnOfLogin(login: AuthRequired): void {
  process.emitWarning(login.message, "FlyteSidecarLogin");
}
