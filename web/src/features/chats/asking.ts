/**
 * How often what only moderators see is asked for while it is on screen. What comes with members is told live (`ChatSync`);
 * what another moderator did to a link or a ban, no event tells.
 */
export const ASK_MS = 10_000;
