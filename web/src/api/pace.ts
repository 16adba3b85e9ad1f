/** How fast commands may follow one another: a few at once, then one after another. Says how long to wait. */
export class Pace {
  private free: number;
  private at: number;

  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    private readonly now: () => number = Date.now,
  ) {
    this.free = burst;
    this.at = now();
  }

  /** Takes a place; returns the milliseconds until its turn. */
  take(): number {
    const now = this.now();
    this.free = Math.min(this.burst, this.free + (now - this.at) / this.everyMs) - 1;
    this.at = now;
    return this.free >= 0 ? 0 : Math.ceil(-this.free * this.everyMs);
  }
}
