/** A bounded map that keeps the smallest names: exact for those it keeps, and mergeable. */

export const MAX_NAMES = 64;

/**
 * At most MAX_NAMES names. When a smaller one comes to a full map the largest is evicted; it can
 * never return, since enough smaller ones have been seen. So what is kept is exact, whatever the
 * order, and the rest is the whole minus what is kept.
 */
export class SmallestNames<Value> {
  /** In order, so the same whatever the order they came in; `values` has their values. */
  readonly names: string[] = [];
  readonly values: Value[] = [];
  readonly #zero: () => Value;

  constructor(zero: () => Value) {
    this.#zero = zero;
  }

  /** The value of a name, made if need be; null for a name that belongs to the rest. */
  claim(name: string): Value | null {
    const { names, values } = this;
    for (let at = 0; at < names.length; at++) if (names[at] === name) return values[at]!;
    if (names.length === MAX_NAMES) {
      if (name > names[MAX_NAMES - 1]!) return null;
      names.pop();
      values.pop();
    }
    const value = this.#zero();
    let at = names.length;
    while (at > 0 && names[at - 1]! > name) at--;
    names.splice(at, 0, name);
    values.splice(at, 0, value);
    return value;
  }
}
