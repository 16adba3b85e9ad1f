/** The token of an invite link waits in this tab while its holder signs in first. */
import { hashToken } from "./router";

const KEY = "parley.join";

/** Takes the token of the address into this tab, so that signing in does not lose it. */
export function noteJoin(): void {
  const token = hashToken();
  if (location.pathname === "/join" && token) sessionStorage.setItem(KEY, token);
  // Whoever opens another address of the application has left the link.
  else if (/^\/(chats|inbox|settings)\//.test(location.pathname)) leaveJoin();
}

export const joinToken = (): string => hashToken() || (sessionStorage.getItem(KEY) ?? "");

export const isJoining = (): boolean => sessionStorage.getItem(KEY) !== null;

export const leaveJoin = (): void => sessionStorage.removeItem(KEY);
