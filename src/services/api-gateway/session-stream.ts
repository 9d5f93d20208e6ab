/** Tells the readers of streams what happens to sessions; does nothing while there are none. */
import type { Live, LiveChange } from '../../live/live.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Logger } from '../../ops/logger.ts';
import { LiveFeed } from './live-feed.ts';
import { SentFeed } from './sent-feed.ts';
import { frameOf, type StreamClient } from './stream-client.ts';
import { type StreamFilter, wants } from './stream-filter.ts';

const HEARTBEAT_MS = 15_000;

interface Reader {
  readonly filter: StreamFilter;
  readonly leave: () => void;
}

export class SessionStream {
  readonly #readers = new Map<StreamClient, Reader>();
  readonly #liveFeed: LiveFeed;
  readonly #sentFeed: SentFeed;
  #heartbeat: NodeJS.Timeout | null = null;

  constructor(live: Live, sessions: TopicReader, logger: Logger) {
    this.#liveFeed = new LiveFeed(live, {
      changed: (change) => this.#tellLive(change),
      skipped: (count) => this.#tellSkipped(count),
    });
    this.#sentFeed = new SentFeed(sessions, logger);
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Tells the reader what happens from now on, or since the event whose id it had last. */
  add(client: StreamClient, filter: StreamFilter, lastEventId: string | undefined): void {
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
    const leaveLive = this.#liveFeed.addReader(filter.userId);
    const leaveSent = this.#sentFeed.add(
      {
        tell: ({ record, json, id }) => {
          if (wants(filter, record)) client.send(frameOf('session', json, id));
        },
        ready: async () => {
          await client.drained();
          return client.isOpen;
        },
        missed: () => client.send(skippedFrame(null)),
      },
      lastEventId,
    );
    const leave = () => {
      leaveLive();
      leaveSent();
    };
    this.#readers.set(client, { filter, leave });
  }

  remove(client: StreamClient): void {
    this.#readers.get(client)?.leave();
    this.#readers.delete(client);
    if (this.#readers.size > 0 || this.#heartbeat === null) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }

  close(): void {
    for (const client of [...this.#readers.keys()]) {
      client.end('stopping', 'the system is stopping');
      this.remove(client);
    }
  }

  #tellLive(change: LiveChange): void {
    const session = change.session();
    const frame =
      session === null
        ? frameOf('gone', JSON.stringify({ userId: change.userId }))
        : frameOf('session', JSON.stringify(session));
    for (const [client, { filter }] of this.#readers) {
      const isWanted =
        session === null
          ? filter.states.has('active') && (filter.userId ?? change.userId) === change.userId
          : wants(filter, session);
      if (isWanted) client.send(frame);
    }
  }

  #tellSkipped(count: number): void {
    for (const [client, { filter }] of this.#readers) {
      if (filter.userId === undefined) client.send(skippedFrame(count));
    }
  }

  #beat(): void {
    for (const client of this.#readers.keys()) client.send(': still here\n\n');
  }
}

/** Something was left out: so many live changes, or, with null, nobody knows how many sessions. */
function skippedFrame(count: number | null): string {
  return frameOf('skipped', JSON.stringify({ count }));
}
