/** How well a process is: what `/health` answers. */

export interface HealthReport {
  readonly status: 'ok' | 'degraded';
  readonly parts: readonly HealthPart[];
}

export interface HealthPart {
  readonly name: string;
  readonly status: 'ok' | 'degraded' | 'down';
  /** Why it is not ok, in words. */
  readonly reason: string | null;
}

/** Degraded as soon as a part is not ok. */
export function healthOf(parts: readonly HealthPart[]): HealthReport {
  return { status: parts.every(({ status }) => status === 'ok') ? 'ok' : 'degraded', parts };
}
