/** Which users are due, without touching those that aren't: a calendar of buckets. */
import { highOf, joined, lowOf } from './wide.ts';

/** Anything with a deadline, which is a lower bound: what is popped early is put back. */
export class Due {
  #dueHigh = highOf(Number.POSITIVE_INFINITY);
  #dueLow = 0;

  /** Where it lies in the calendar; Infinity when it doesn't. Set by the calendar alone. */
  get dueAt(): number {
    return joined(this.#dueHigh, this.#dueLow);
  }

  set dueAt(time: number) {
    this.#dueHigh = highOf(time);
    this.#dueLow = lowOf(time);
  }
}

/**
 * Entries by bucket of time; only the bucket that the clock is in is kept in order (a heap).
 * A deadline that moves later costs nothing: its entry is found early and put back then.
 */
export class Deadlines<Entry extends Due> {
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, Entry[]>();
  /** Entries at or before the current bucket, with the time each was put in for; a binary heap. */
  #heap: { at: number; entry: Entry }[] = [];
  #current = Number.NEGATIVE_INFINITY;

  constructor(bucketMs: number) {
    this.#bucketMs = bucketMs;
  }

  /** Puts an entry in, or moves it earlier. A later time than the one it has is ignored. */
  schedule(entry: Entry, at: number): void {
    if (at >= entry.dueAt) return;
    entry.dueAt = at;
    const bucket = Math.floor(at / this.#bucketMs);
    if (bucket <= this.#current) {
      this.#push({ at, entry });
      return;
    }
    const entries = this.#buckets.get(bucket);
    if (entries === undefined) this.#buckets.set(bucket, [entry]);
    else entries.push(entry);
  }

  /** Takes out the next entry whose time is before `clock`; null when there is none. */
  pop(clock: number): Entry | null {
    this.#open(Math.floor(clock / this.#bucketMs));
    while (this.#heap.length > 0 && this.#heap[0]!.at < clock) {
      const { at, entry } = this.#take();
      // An entry that was moved earlier leaves its old place behind.
      if (entry.dueAt !== at) continue;
      entry.dueAt = Number.POSITIVE_INFINITY;
      return entry;
    }
    return null;
  }

  #open(bucket: number): void {
    if (bucket <= this.#current) return;
    const due: number[] = [];
    if (bucket - this.#current <= this.#buckets.size) {
      for (let at = this.#current + 1; at <= bucket; at++) if (this.#buckets.has(at)) due.push(at);
    } else {
      for (const at of this.#buckets.keys()) if (at <= bucket) due.push(at);
    }
    this.#current = bucket;
    for (const at of due) {
      for (const entry of this.#buckets.get(at)!) {
        if (Math.floor(entry.dueAt / this.#bucketMs) === at) {
          this.#push({ at: entry.dueAt, entry });
        }
      }
      this.#buckets.delete(at);
    }
  }

  #push(item: { at: number; entry: Entry }): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= item.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  #take(): { at: number; entry: Entry } {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
