/** Who of those on screen is here now, and when the others were last seen; as far as they show it. */
import { createStore } from "@/lib/store";

export interface Presence {
  is_online: boolean | null;
  last_seen_at: string | null;
}

/** What one connection watches at the most, and with one command. */
const MOST = 500;
const AT_ONCE = 200;

export class PresenceWatch {
  readonly store = createStore<Record<string, Presence>>({});
  private watched = new Set<string>();

  constructor(private readonly ask: (actors: string[]) => Promise<unknown>) {}

  /** Watches these from now on; those who are watched already are not asked for again. */
  watch(actors: string[]): void {
    const fresh = actors.filter((actor) => !this.watched.has(actor)).slice(0, MOST - this.watched.size);
    for (const actor of fresh) this.watched.add(actor);
    void this.askAll(fresh);
  }

  /** A new connection knows nothing of the old one. */
  reconnect(): void {
    void this.askAll([...this.watched]);
  }

  note(actor: string, presence: Presence): void {
    const { is_online, last_seen_at } = presence;
    this.store.set((all) => ({ ...all, [actor]: { is_online, last_seen_at } }));
  }

  private async askAll(actors: string[]): Promise<void> {
    for (let at = 0; at < actors.length; at += AT_ONCE) {
      const answer = (await this.ask(actors.slice(at, at + AT_ONCE))) as
        | { presence?: (Presence & { actor_id: string })[] }
        | undefined;
      for (const one of answer?.presence ?? []) this.note(one.actor_id, one);
    }
  }
}
