/** The code that is simulated: the project's own, or a copy of it with a bug planted. */
import type { openProcessLive } from '../../src/live/process-live.ts';
import type { SessionProcessor } from '../../src/services/session-processor/session-processor.ts';
import type { decodeLive } from '../../src/services/session-processor/state-reader.ts';

export interface SystemCode {
  readonly SessionProcessor: typeof SessionProcessor;
  readonly decodeLive: typeof decodeLive;
  readonly openProcessLive: typeof openProcessLive;
}

/** `source`: the folder that stands in for `src/`. */
export async function loadSystem(
  source = new URL('../../src/', import.meta.url),
): Promise<SystemCode> {
  const processor = await import(
    new URL('services/session-processor/session-processor.ts', source).href
  );
  const reader = await import(new URL('services/session-processor/state-reader.ts', source).href);
  const live = await import(new URL('live/process-live.ts', source).href);
  return { ...processor, ...reader, ...live } as SystemCode;
}
