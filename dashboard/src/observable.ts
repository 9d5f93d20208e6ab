/** A value that others are told of when it changes. */
import { useEffect, useState } from 'preact/hooks';

export class Observable<Value> {
  #value: Value;
  readonly #listeners = new Set<() => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  get(): Value {
    return this.#value;
  }

  set(value: Value): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function useObservable<Value>(observable: Observable<Value>): Value {
  const [value, setValue] = useState(observable.get());
  useEffect(() => {
    // Between the first render and this it may have changed.
    setValue(() => observable.get());
    return observable.subscribe(() => setValue(() => observable.get()));
  }, [observable]);
  return value;
}
