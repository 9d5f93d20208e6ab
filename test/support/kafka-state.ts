/** Instances of the state store on Kafka, each with its place in the group, as a mode has them. */
import { type Cluster, connectCluster } from '../../src/kafka/cluster.ts';
import { type Assignment, Group } from '../../src/kafka/group.ts';
import { LATEST, listOffsets } from '../../src/kafka/offsets.ts';
import { ensureTopics, type ReadyTopic, type TopicPlan } from '../../src/kafka/topics.ts';
import { type KafkaReader, openKafkaReader } from '../../src/log/kafka-reader.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { createLogger } from '../../src/ops/logger.ts';
import { type KafkaStore, openKafkaStore } from '../../src/state/kafka-store.ts';

/** What all instances of one system have in common; plain data, for other processes. */
export interface KafkaSystem {
  readonly bootstrapServers: string;
  /** Before the names of its topics and its group. */
  readonly prefix: string;
  readonly partitionCount: number;
  readonly outputTopics: readonly string[];
  readonly deleteRetentionMs: number;
  readonly maxBatchBytes: number;
  /** Small, so that a restore takes many. */
  readonly chunkRecords: number;
}

let systems = 0;

export function newSystem(
  { bootstrapServers }: Pick<KafkaSystem, 'bootstrapServers'>,
  options: Partial<KafkaSystem> = {},
): KafkaSystem {
  return {
    bootstrapServers,
    prefix: `s${process.pid}-${systems++}-`,
    partitionCount: 3,
    outputTopics: ['sessions', 'late-events'],
    deleteRetentionMs: 7 * 24 * 3600_000,
    maxBatchBytes: 4 << 20,
    chunkRecords: 10,
    ...options,
  };
}

export interface InstanceOptions {
  readonly system: KafkaSystem;
  readonly directory: string;
  readonly standbys?: number;
  readonly onAssigned?: (assignment: Assignment) => void;
}

export class Instance {
  readonly cluster: Cluster;
  readonly store: KafkaStore;
  readonly changelog: ReadyTopic;
  readonly inputTopic: string;
  readonly groupId: string;
  readonly outputs: readonly ReadyTopic[];
  readonly readers: readonly KafkaReader[];
  readonly assignments: Assignment[] = [];
  readonly group: Group;
  readonly #run: Promise<void>;
  readonly #heard = new Set<() => void>();
  #closing: Promise<void> | null = null;

  private constructor(
    { system, standbys = 0, onAssigned }: InstanceOptions,
    parts: Pick<Instance, 'cluster' | 'store' | 'changelog' | 'outputs' | 'readers'>,
  ) {
    this.cluster = parts.cluster;
    this.store = parts.store;
    this.changelog = parts.changelog;
    this.outputs = parts.outputs;
    this.readers = parts.readers;
    this.inputTopic = `${system.prefix}user-events`;
    this.groupId = `${system.prefix}processors`;
    const { store } = this;
    this.group = new Group({
      cluster: this.cluster,
      groupId: this.groupId,
      topic: this.inputTopic,
      partitionCount: system.partitionCount,
      standbys,
      instanceId: store.instanceId,
      transactionalId: store.transactionalId,
      url: 'http://127.0.0.1:8082',
      earlierMemberId: store.earlierMemberId,
      copies: () => store.copies(),
      onRejoin: () => store.revoke(),
      onAssigned: (assignment) => {
        store.assign(assignment);
        this.assignments.push(assignment);
        onAssigned?.(assignment);
        for (const heard of this.#heard) heard();
      },
    });
    this.#run = this.group.run();
    this.#run.catch(() => {});
  }

  static async start(options: InstanceOptions): Promise<Instance> {
    const { system, directory } = options;
    const { bootstrapServers, prefix, partitionCount, deleteRetentionMs, maxBatchBytes } = system;
    const logger = createLogger('error');
    const about = { bootstrapServers, clientId: 'lull-test', clock: systemClock, logger };
    const cluster = await connectCluster(about);
    const plan = (name: string, more: Partial<TopicPlan> = {}): TopicPlan => {
      return { name: `${prefix}${name}`, partitionCount, maxBatchBytes, ...more };
    };
    const [, changelog, ...outputs] = await ensureTopics(cluster, [
      plan('user-events'),
      plan('changelog', {
        compacted: true,
        settings: { 'delete.retention.ms': `${deleteRetentionMs}` },
      }),
      ...system.outputTopics.map((name) => plan(name, { appendTime: true })),
    ]);
    const readers = await Promise.all(outputs.map((topic) => openKafkaReader({ cluster, topic })));
    const targets = system.outputTopics.map((name, index) => {
      return [name, { topic: outputs[index]!, reader: readers[index]! }] as const;
    });
    const store = await openKafkaStore({
      directory,
      cluster,
      groupId: `${prefix}processors`,
      inputTopic: `${prefix}user-events`,
      changelog: changelog!,
      outputs: new Map(targets),
      chunkRecords: system.chunkRecords,
    });
    return new Instance(options, { cluster, store, changelog: changelog!, outputs, readers });
  }

  /** The newest assignment, once it owns so many partitions. */
  async owning(count: number): Promise<Assignment> {
    for (;;) {
      const newest = this.assignments.at(-1);
      if (newest?.owned.length === count) return newest;
      await new Promise<void>((resolve) => this.#heard.add(resolve));
    }
  }

  /** Opens all that is owned. */
  async openOwned(): Promise<void> {
    await Promise.all(this.assignments.at(-1)!.owned.map((each) => this.store.open(each)));
  }

  /** Until the readers of outputs have everything that was committed. */
  async settled(): Promise<void> {
    for (const [index, { name, partitions }] of this.outputs.entries()) {
      const all = [...partitions.keys()];
      const high = await listOffsets(this.cluster, name, all, LATEST, 'uncommitted');
      for (const [partition, end] of high) {
        while (this.readers[index]!.endOffset(partition) < end) await systemClock.sleep(5);
      }
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.store.close();
    await this.group.close();
    await this.#run;
    for (const reader of this.readers) reader.close();
    await this.cluster.close();
  }
}
