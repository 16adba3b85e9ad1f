/** Names of people that no list on screen has told: asked for by their ids, many with one request. */
import { createStore } from "@/lib/store";
import type { Page, Person } from "./types";

/** What comes within this time goes into one request. */
const TOGETHER_MS = 50;
/** What one request may ask for. */
const AT_ONCE = 100;

export class NameBook {
  readonly store = createStore<Record<string, string>>({});
  private readonly asked = new Set<string>();
  private wanted: string[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ask: (ids: string[]) => Promise<Page<Person>>) {}

  /** Asks for those that were never asked for. Whom the server does not tell stay without a name. */
  want(ids: string[]): void {
    for (const id of ids) {
      if (this.asked.has(id)) continue;
      this.asked.add(id);
      this.wanted.push(id);
    }
    if (this.wanted.length > 0) this.timer ??= setTimeout(() => void this.askAll(), TOGETHER_MS);
  }

  private async askAll(): Promise<void> {
    this.timer = undefined;
    const wanted = this.wanted;
    this.wanted = [];
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      const ids = wanted.slice(at, at + AT_ONCE);
      try {
        const { items } = await this.ask(ids);
        const told = Object.fromEntries(items.map(({ id, name }) => [id, name]));
        this.store.set((all) => ({ ...all, ...told }));
      } catch {
        // Who wants them next asks again.
        for (const id of ids) this.asked.delete(id);
      }
    }
  }
}
