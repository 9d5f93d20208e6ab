/** Where sessions were looked for, and where they were found: hits and misses by tier. */
import type { Metrics } from '../../ops/metrics.ts';

/** From the nearest to the farthest. */
export type Tier = 'process' | 'redis' | 'state' | 'standby' | 'history';

export interface LookupMetrics {
  /** In the live cache; null: nowhere in it. */
  live(found: 'process' | 'redis' | null): void;
  /** In one of the other tiers. */
  other(tier: Exclude<Tier, 'process' | 'redis'>, isFound: boolean): void;
}

const FAR_TIERS = ['state', 'standby', 'history'] as const;

/** `liveTiers`: what the live cache is made of. */
export function lookupMetrics(
  metrics: Metrics,
  liveTiers: readonly ('process' | 'redis')[],
): LookupMetrics {
  const lookups = metrics.counter(
    'lull_session_lookups_total',
    'Tiers that were asked for a session, by whether they had it: hit or miss.',
    ['tier', 'result'],
  );
  for (const tier of [...liveTiers, ...FAR_TIERS]) {
    for (const result of ['hit', 'miss']) lookups.inc({ tier, result }, 0);
  }
  return {
    live: (found) => {
      for (const tier of liveTiers) {
        lookups.inc({ tier, result: tier === found ? 'hit' : 'miss' });
        if (tier === found) return;
      }
    },
    other: (tier, isFound) => lookups.inc({ tier, result: isFound ? 'hit' : 'miss' }),
  };
}
