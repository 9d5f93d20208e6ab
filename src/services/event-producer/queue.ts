/** A priority queue by time: a binary heap over two arrays. */

export class TimeQueue<T> {
  #times: number[] = [];
  #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Time of the earliest item; Infinity when there is none. */
  nextMs(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  /** The earliest item, which stays. */
  first(): T {
    return this.#items[0]!;
  }

  push(timeMs: number, item: T): void {
    let at = this.#items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= timeMs) break;
      this.#times[at] = this.#times[parent]!;
      this.#items[at] = this.#items[parent]!;
      at = parent;
    }
    this.#times[at] = timeMs;
    this.#items[at] = item;
  }

  pop(): T {
    const first = this.#items[0]!;
    const timeMs = this.#times.pop()!;
    const item = this.#items.pop()!;
    if (this.#items.length > 0) this.#sink(timeMs, item);
    return first;
  }

  /** Moves the earliest item to a later time: cheaper than taking it out and in again. */
  postponeFirst(timeMs: number): void {
    this.#sink(timeMs, this.#items[0]!);
  }

  #sink(timeMs: number, item: T): void {
    const length = this.#items.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#times[child + 1]! < this.#times[child]!) child++;
      if (this.#times[child]! >= timeMs) break;
      this.#times[at] = this.#times[child]!;
      this.#items[at] = this.#items[child]!;
      at = child;
    }
    this.#times[at] = timeMs;
    this.#items[at] = item;
  }

  /** Every item with its time, in no order. */
  *entries(): Iterable<[number, T]> {
    for (let at = 0; at < this.#items.length; at++) yield [this.#times[at]!, this.#items[at]!];
  }
}
