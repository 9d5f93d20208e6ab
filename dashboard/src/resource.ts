/** An answer of the API for as long as a view shows it: loaded, asked again, kept when old. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { tokenNeed } from './connection.ts';
import { useStale } from './stale.ts';

const RETRY_MS = 2000;

export interface Resource<Value> {
  /** The newest answer there was; null before the first. */
  readonly data: Value | null;
  /** Why there is no newer one; null when there is. */
  readonly error: ApiError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface Held<Value> {
  readonly key: string;
  readonly data: Value | null;
  /** When the data came, epoch milliseconds; null without any. */
  readonly asOfMs: number | null;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
}

/**
 * Loads when `key` changes, every `everyMs` while the page can be seen, and again after a failure
 * that may pass. What was loaded under another key is not shown. While data is shown that could
 * not be loaded anew, a notice says so of `what`.
 */
export function useResource<Value>(
  what: string,
  key: string,
  load: (signal: AbortSignal) => Promise<Value>,
  everyMs: number | null = null,
): Resource<Value> {
  const nothing = { key, data: null, asOfMs: null, error: null, isLoading: true };
  const [held, setHeld] = useState<Held<Value>>(nothing);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const newest = useRef(load);
  newest.current = load;

  useEffect(() => {
    const aborter = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (waitMs: number) => {
      timer = setTimeout(() => {
        if (document.hidden) again(waitMs);
        else void run();
      }, waitMs);
    };
    const run = async () => {
      setHeld((last) => (last.key === key ? { ...last, isLoading: true } : nothing));
      try {
        const data = await newest.current(aborter.signal);
        if (aborter.signal.aborted) return;
        setHeld({ key, data, asOfMs: Date.now(), error: null, isLoading: false });
        if (everyMs !== null) again(everyMs);
      } catch (error) {
        if (aborter.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        const isKept = error.isPassing || error.status === 401;
        setHeld((last) => {
          const kept = isKept && last.key === key ? last : nothing;
          return { ...kept, error, isLoading: false };
        });
        if (error.isPassing) again(RETRY_MS);
      }
    };
    void run();
    const stopWaiting = tokenNeed.subscribe(() => {
      if (tokenNeed.get() === 'none') reload();
    });
    return () => {
      aborter.abort();
      clearTimeout(timer);
      stopWaiting();
    };
  }, [key, turn, everyMs]);

  const shown = held.key === key ? held : nothing;
  useStale(what, shown.asOfMs, shown.error);
  return { ...shown, reload };
}
