/** A bounded map that keeps the smallest names: exact for those it keeps, and mergeable. */

export const MAX_NAMES = 64;

/**
 * At most MAX_NAMES names. When a smaller one comes to a full map the largest is evicted; it can
 * never return, since enough smaller ones have been seen. So what is kept is exact, whatever the
 * order, and the rest is the whole minus what is kept.
 */
export class SmallestNames<Value> {
  readonly names: string[] = [];
  readonly values: Value[] = [];
  readonly #zero: () => Value;

  constructor(zero: () => Value) {
    this.#zero = zero;
  }

  /** The value of a name, made if need be; null for a name that belongs to the rest. */
  claim(name: string): Value | null {
    const index = this.names.indexOf(name);
    if (index >= 0) return this.values[index]!;
    if (this.names.length < MAX_NAMES) {
      this.names.push(name);
    } else {
      let largest = 0;
      for (let at = 1; at < this.names.length; at++) {
        if (this.names[at]! > this.names[largest]!) largest = at;
      }
      if (name > this.names[largest]!) return null;
      this.names.splice(largest, 1);
      this.values.splice(largest, 1);
      this.names.push(name);
    }
    const value = this.#zero();
    this.values.push(value);
    return value;
  }

  /** Names in order, with their values: the same whatever the order they came in. */
  sorted(): [string, Value][] {
    return this.names
      .map((name, index): [string, Value] => [name, this.values[index]!])
      .sort(([one], [other]) => (one < other ? -1 : 1));
  }
}
