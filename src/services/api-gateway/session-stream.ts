/** Tells the readers of streams what happens to sessions; does nothing while there are none. */
import type { Live, LiveChange } from '../../live/live.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Logger } from '../../ops/logger.ts';
import { LiveFeed } from './live-feed.ts';
import { SentFeed, type SentItem } from './sent-feed.ts';
import { frameOf, type StreamClient } from './stream-client.ts';
import { type StreamFilter, wants } from './stream-filter.ts';

const HEARTBEAT_MS = 15_000;

interface Reader {
  readonly client: StreamClient;
  readonly filter: StreamFilter;
  /** False while it is told what it missed: what is sent meanwhile it finds there. */
  caughtUp: boolean;
  readonly leaveLiveFeed: () => void;
}

export class SessionStream {
  readonly #readers = new Map<StreamClient, Reader>();
  readonly #liveFeed: LiveFeed;
  readonly #sentFeed: SentFeed;
  readonly #logger: Logger;
  #heartbeat: NodeJS.Timeout | null = null;

  constructor(live: Live, sessions: TopicReader, logger: Logger) {
    this.#logger = logger;
    this.#liveFeed = new LiveFeed(live, {
      changed: (change) => this.#tellLive(change),
      skipped: (count) => this.#tellSkipped(count),
    });
    this.#sentFeed = new SentFeed(sessions, logger, (item) => this.#tellSent(item));
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Tells the reader what happens from now on, or since the event whose id it had last. */
  add(client: StreamClient, filter: StreamFilter, lastEventId: string | undefined): void {
    this.#sentFeed.start();
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
    const reader: Reader = {
      client,
      filter,
      caughtUp: lastEventId === undefined,
      leaveLiveFeed: this.#liveFeed.addReader(filter.userId),
    };
    this.#readers.set(client, reader);
    if (lastEventId !== undefined) void this.#catchUp(reader, lastEventId);
  }

  remove(client: StreamClient): void {
    const reader = this.#readers.get(client);
    if (reader === undefined) return;
    this.#readers.delete(client);
    reader.leaveLiveFeed();
    if (this.#readers.size > 0) return;
    this.#sentFeed.stop();
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }

  close(): void {
    for (const client of [...this.#readers.keys()]) {
      client.end('stopping', 'the system is stopping');
      this.remove(client);
    }
  }

  async #catchUp(reader: Reader, lastEventId: string): Promise<void> {
    const { client, filter } = reader;
    const tell = (item: SentItem) => {
      if (wants(filter, item.record)) client.send(frameOf('session', item.json, item.id));
    };
    const pause = async () => {
      await client.drained();
      return client.isOpen;
    };
    try {
      const known = await this.#sentFeed.catchUp(lastEventId, tell, pause);
      if (!known) client.send(skippedFrame(null));
    } catch (error) {
      this.#logger.error({ err: error }, 'missed sessions could not be read for a stream');
      client.send(skippedFrame(null));
    }
    reader.caughtUp = true;
  }

  #tellLive(change: LiveChange): void {
    const session = change.session();
    const frame =
      session === null
        ? frameOf('gone', JSON.stringify({ userId: change.userId }))
        : frameOf('session', JSON.stringify(session));
    for (const { client, filter } of this.#readers.values()) {
      const isWanted =
        session === null
          ? filter.states.has('active') && (filter.userId ?? change.userId) === change.userId
          : wants(filter, session);
      if (isWanted) client.send(frame);
    }
  }

  #tellSent({ record, json, id }: SentItem): void {
    const frame = frameOf('session', json, id);
    for (const { client, filter, caughtUp } of this.#readers.values()) {
      if (caughtUp && wants(filter, record)) client.send(frame);
    }
  }

  #tellSkipped(count: number): void {
    for (const { client, filter } of this.#readers.values()) {
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
