/** What is asked of one thing goes one after another: two requests at once may reach the server the other way round. */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs the work once all that was given for this key before has ended, however it ended. */
  take(key: string, work: (isLast: () => boolean) => Promise<void>): Promise<void> {
    const run = () => work(() => this.last.get(key) === turn);
    const turn: Promise<void> = (this.last.get(key) ?? Promise.resolve()).then(run, run);
    this.last.set(key, turn);
    const forget = () => {
      if (this.last.get(key) === turn) this.last.delete(key);
    };
    turn.then(forget, forget);
    return turn;
  }
}
