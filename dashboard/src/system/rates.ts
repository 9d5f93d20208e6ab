/** How fast counts grow, from readings of the last seconds. */

/** Long enough for a steady figure, short enough to see a change. */
const SPAN_MS = 11_000;

export type Counts = Readonly<Record<string, number>>;

interface Reading {
  readonly atMs: number;
  readonly counts: Counts;
}

export class RecentCounts {
  #readings: Reading[] = [];
  #basis = '';

  /**
   * Takes what has been counted by now, and tells the growth a second, by name; null where nothing
   * comparable was read lately. `basis` says whose counts they are: others' are not comparable.
   */
  perSecond(counts: Counts, basis: string, atMs = performance.now()): Counts | null {
    if (basis !== this.#basis) this.#readings = [];
    this.#basis = basis;
    this.#readings = this.#readings.filter((reading) => atMs - reading.atMs <= SPAN_MS);
    this.#readings.push({ atMs, counts });
    const [first] = this.#readings;
    const seconds = (atMs - first!.atMs) / 1000;
    if (seconds === 0) return null;
    return Object.fromEntries(
      Object.entries(counts).map(([name, count]) => {
        // What is lower than before was counted anew.
        const grown = Math.max(0, count - (first!.counts[name] ?? 0));
        return [name, grown / seconds];
      }),
    );
  }
}
