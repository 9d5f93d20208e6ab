/**
 * Membership of a consumer group, classic protocol, with what the library's own doesn't give: an
 * assignment that carries more than partitions, an assignor that is also asked for a lone member,
 * and heartbeats that go on while a rejoin waits for the commit under way.
 */
import {
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  type ResponseError,
  syncGroupV5,
} from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import { Coordinator } from './coordinator.ts';
import { CODE, codeOf, mayPass } from './failure.ts';
import { planShares } from './group-plan.ts';
import {
  decodeMember,
  decodeShare,
  encodeMember,
  encodeShare,
  type MemberInfo,
  type MemberShare,
} from './membership.ts';

/** What may be decided, committed and claimed with: taken at the join, and never changed. */
export interface Assignment {
  readonly memberId: string;
  readonly generation: number;
  readonly owned: readonly number[];
  /** To keep a copy of. */
  readonly standby: readonly number[];
  /** Transactional ids to end before what is owned is opened. */
  readonly predecessors: readonly string[];
}

export interface GroupOptions {
  readonly cluster: Cluster;
  readonly groupId: string;
  /** Whose partitions are shared out, and how many there are. */
  readonly topic: string;
  readonly partitionCount: number;
  /** Copies of each partition beside its owner's. */
  readonly standbys: number;
  readonly instanceId: string;
  /** null where nothing is written with transactions. */
  readonly transactionalId: string | null;
  /** Where other services reach this instance. */
  readonly url: string;
  readonly sessionTimeoutMs?: number;
  /** What an earlier process of this instance was here, which is surely gone: it leaves first. */
  readonly earlierMemberId?: string | null;
  /** Position of each partition that there is a copy of here. */
  readonly copies: () => ReadonlyMap<number, number>;
  /**
   * Awaited before each rejoin: the commit under way must have ended, and none begins before the
   * next assignment. Must not take longer than a few seconds.
   */
  readonly onRejoin: () => Promise<void>;
  readonly onAssigned: (assignment: Assignment) => void;
}

const DEFAULT_SESSION_TIMEOUT_MS = 6000;
/** How long the others wait for a member to rejoin; the answer to a join takes that long. */
const REBALANCE_TIMEOUT_MS = 8000;
/** A member learns of a rebalance by its next heartbeat: it is what a hand-over takes longest. */
const HEARTBEAT_INTERVAL_MS = 300;
/** What Kafka's own tools know how to read. */
const PROTOCOL_TYPE = 'consumer';
const PROTOCOL = 'lull';

export class Group {
  readonly #options: GroupOptions;
  readonly #sessionTimeoutMs: number;
  readonly #closing = new AbortController();
  readonly #coordinator: Coordinator;
  #memberId = '';
  #generation = -1;
  #share: MemberShare | null = null;
  /** When the last heartbeat that was answered well was sent. */
  #heartbeatMs = Number.NEGATIVE_INFINITY;

  constructor(options: GroupOptions) {
    const { cluster, groupId, instanceId } = options;
    this.#options = options;
    const lane = `${groupId} ${instanceId}`;
    this.#coordinator = new Coordinator(cluster, 'group', groupId, lane);
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  }

  /** Whether nobody else can own yet what was assigned here last. */
  get isMember(): boolean {
    const { clock } = this.#options.cluster;
    return clock.monotonicMs() - this.#heartbeatMs < this.#sessionTimeoutMs;
  }

  /** Joins, and stays until `close`. Rejects when the brokers won't have this member. */
  async run(): Promise<void> {
    const { cluster, earlierMemberId, onAssigned, onRejoin } = this.#options;
    const { signal } = this.#closing;
    try {
      if (earlierMemberId) await cluster.retry(() => this.#leave(earlierMemberId), signal);
      while (!signal.aborted) {
        const assignment = await cluster.retry(() => this.#join(), signal);
        if (assignment === null) continue;
        onAssigned(assignment);
        await this.#stay();
        if (!signal.aborted) await this.#alive(onRejoin());
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Leaves at once, so that the others need not wait for the session to time out. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    if (this.#memberId === '') return;
    // Who can't be told will notice.
    await this.#leave(this.#memberId).catch(() => {});
  }

  /** One attempt; null when it has to be made again at once. */
  async #join(): Promise<Assignment | null> {
    const { groupId, topic } = this.#options;
    const startMs = this.#options.cluster.clock.monotonicMs();
    try {
      const metadata = encodeMember(topic, this.#info());
      const joined = await this.#coordinator.call(
        joinGroupV9.api,
        groupId,
        this.#sessionTimeoutMs,
        REBALANCE_TIMEOUT_MS,
        this.#memberId,
        null,
        PROTOCOL_TYPE,
        [{ name: PROTOCOL, metadata }],
        null,
      );
      const { memberId, generationId: generation } = joined;
      this.#memberId = memberId;
      const shares = joined.leader === memberId ? this.#plan(joined) : [];
      const answer = await this.#coordinator.call(
        syncGroupV5.api,
        groupId,
        generation,
        memberId,
        null,
        PROTOCOL_TYPE,
        PROTOCOL,
        shares,
      );
      const share = decodeShare(answer.assignment);
      if (share === null) return null;
      this.#heartbeatMs = startMs;
      this.#generation = generation;
      this.#share = share;
      const { owned, standby, predecessors } = share;
      return { memberId, generation, owned, standby, predecessors };
    } catch (error) {
      if (!this.#mustRejoin(error)) throw error;
      return null;
    }
  }

  /** Heartbeats until a rejoin is asked for. */
  async #stay(): Promise<void> {
    const { clock } = this.#options.cluster;
    while (!this.#closing.signal.aborted) {
      await clock.sleep(HEARTBEAT_INTERVAL_MS, this.#closing.signal);
      if (this.#closing.signal.aborted || (await this.#heartbeat())) return;
    }
  }

  /** Heartbeats while something goes on. */
  async #alive(work: Promise<void>): Promise<void> {
    const { clock } = this.#options.cluster;
    const over = new AbortController();
    const done = work.finally(() => over.abort());
    while (!over.signal.aborted) {
      await clock.sleep(HEARTBEAT_INTERVAL_MS, over.signal);
      if (!over.signal.aborted && this.#memberId !== '') await this.#heartbeat();
    }
    await done;
  }

  /** Whether it was answered that this member must join again. */
  async #heartbeat(): Promise<boolean> {
    const { cluster, groupId } = this.#options;
    const sentMs = cluster.clock.monotonicMs();
    try {
      await this.#coordinator.call(
        heartbeatV4.api,
        groupId,
        this.#generation,
        this.#memberId,
        null,
      );
    } catch (error) {
      cluster.closed.throwIfAborted();
      if (this.#mustRejoin(error)) {
        // Whoever is only asked to rejoin is a member still.
        if (this.#memberId !== '') this.#heartbeatMs = sentMs;
        return true;
      }
      if (!mayPass(error)) throw cluster.explain(error);
      cluster.noteFailure(error, cluster.clock.monotonicMs() - this.#heartbeatMs);
      return false;
    }
    cluster.noteSuccess();
    this.#heartbeatMs = sentMs;
    return false;
  }

  /** Takes in what a refusal says about this member; false when it is another kind of error. */
  #mustRejoin(error: unknown): boolean {
    switch (codeOf(error)) {
      case CODE.memberIdRequired:
        this.#memberId = (
          (error as ResponseError)['response'] as joinGroupV9.JoinGroupResponse
        ).memberId;
        return true;
      case CODE.unknownMemberId:
        this.#memberId = '';
        this.#heartbeatMs = Number.NEGATIVE_INFINITY;
        return true;
      case CODE.illegalGeneration:
      case CODE.rebalanceInProgress:
        return true;
      default:
        return false;
    }
  }

  #plan({ members }: joinGroupV9.JoinGroupResponse): { memberId: string; assignment: Buffer }[] {
    const { topic, partitionCount, standbys } = this.#options;
    const infos = new Map(
      members.map(({ memberId, metadata }) => [memberId, decodeMember(metadata)]),
    );
    const shares = planShares(partitionCount, infos, standbys);
    return [...shares].map(([memberId, share]) => ({
      memberId,
      assignment: encodeShare(topic, share),
    }));
  }

  #info(): MemberInfo {
    const { instanceId, transactionalId, url, copies } = this.#options;
    return {
      ...{ instanceId, transactionalId, url },
      generation: this.#generation,
      owned: this.#share?.owned ?? [],
      copies: copies(),
      writers: this.#share?.writers ?? new Map(),
    };
  }

  async #leave(memberId: string): Promise<void> {
    const { cluster, groupId } = this.#options;
    const member = { memberId, groupInstanceId: null, reason: null };
    // Not over the group's own connection, on which the answer to a join may be waited for.
    const coordinator = new Coordinator(cluster, 'group', groupId, 'control');
    try {
      await coordinator.call(leaveGroupV5.api, groupId, [member]);
    } catch (error) {
      if (codeOf(error) !== CODE.unknownMemberId) throw error;
    }
  }
}
