/** What is on the screen and older than it should be, since when, and why. */
import { useEffect } from 'preact/hooks';
import type { ApiError } from './api.ts';
import { Observable } from './observable.ts';

export interface Stale {
  /** What is shown, as a sentence begins with it. */
  readonly what: string;
  readonly asOfMs: number;
  /** As the sentence goes on after `because`. */
  readonly why: string;
}

export const staleThings = new Observable<readonly Stale[]>([]);

/** It is, until what this returns is called. */
export function tellStale(stale: Stale): () => void {
  staleThings.set([...staleThings.get(), stale]);
  return () => staleThings.set(staleThings.get().filter((other) => other !== stale));
}

/** It is as long as there is an error; null `asOfMs`: nothing is shown that could be old. */
export function useStale(what: string, asOfMs: number | null, error: ApiError | null): void {
  const why = error?.message ?? null;
  useEffect(() => {
    if (asOfMs !== null && why !== null) return tellStale({ what, asOfMs, why });
  }, [what, asOfMs, why]);
}
