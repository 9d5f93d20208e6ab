/** The system's time, once a second, for what is shown in relation to it. */
import { useEffect, useState } from 'preact/hooks';
import { useAheadMs } from '../system/use-system.ts';

export function useNow(isTicking: boolean): number {
  const aheadMs = useAheadMs();
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    if (!isTicking) return;
    const timer = setInterval(() => document.hidden || setNowMs(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return nowMs + aheadMs;
}
