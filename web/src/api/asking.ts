/** What no event tells is asked for again while it is on screen. */
import { ApiError } from "./http";

const ASK_MS = 10_000;

/** How soon again, as a `refetchInterval`: no more once the server has refused, which it would do for ever. */
export const askAgain = ({ state }: { state: { error: Error | null } }): number | false =>
  state.error instanceof ApiError && !state.error.isTemporary ? false : ASK_MS;
