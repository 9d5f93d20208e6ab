/** Topics as they must be: made where they are missing, refused where they don't fit. */
import { createTopicsV7, describeConfigsV4, type ResponseError } from '@platformatic/kafka';
import { LullError } from '../errors.ts';
import type { Cluster, TopicPlaces } from './cluster.ts';
import { CODE, codeOf, describeFailure } from './failure.ts';

export interface TopicPlan {
  readonly name: string;
  readonly partitionCount: number;
  /** Default: three, or as many as there are brokers. */
  readonly replication?: number;
  /** Keeps the newest record of each key instead of those of a time. */
  readonly compacted?: boolean;
  /** The broker's time of the append instead of the writer's: it never falls. */
  readonly appendTime?: boolean;
  /** A batch's bound; the broker's own default is 1 MB. */
  readonly maxBatchBytes?: number;
  /** Further settings for a topic that has to be made. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface ReadyTopic extends TopicPlaces {
  /** A larger batch is refused by the broker. */
  readonly maxBatchBytes: number;
  /** How long deletions are kept where the topic is compacted. */
  readonly deleteRetentionMs: number;
}

const DELETE_RETENTION_MS = 7 * 24 * 3600 * 1000;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const CREATE_TIMEOUT_MS = 8000;
const TOPIC_RESOURCE = 2;
/** The broker's default for max.message.bytes. */
const DEFAULT_BATCH_BYTES = 1_048_588;

/**
 * Makes the topics that are missing, and waits until each partition has a leader. Several callers
 * may do so at once. Rejects with `topic_mismatch` when one that exists is not as planned.
 */
export async function ensureTopics(
  cluster: Cluster,
  plans: readonly TopicPlan[],
  signal?: AbortSignal,
): Promise<ReadyTopic[]> {
  const ready: ReadyTopic[] = [];
  for (const plan of plans) {
    try {
      ready.push(await cluster.retry(() => ensureTopic(cluster, plan), signal));
    } catch (error) {
      if (codeOf(error) === null) throw error;
      throw mismatch(plan, `can't be used or made: ${describeRefusal(error)}`);
    }
  }
  return ready;
}

/**
 * Asks where the topic's partitions are by now. Rejects with `topic_mismatch` when it is no longer
 * the topic that it was: keys would fall into other partitions, offsets mean other records.
 */
export async function refreshTopic(cluster: Cluster, topic: TopicPlaces): Promise<void> {
  const { topicId, partitions } = await cluster.refresh(topic.name);
  const { length: count } = topic.partitions;
  let change: string | null = null;
  if (topicId !== topic.topicId) change = 'was deleted and made anew';
  else if (partitions.length !== count)
    change = `has ${partitions.length} partitions, not ${count}`;
  if (change === null) return;
  throw new LullError('topic_mismatch', `the topic ${topic.name} ${change}, while it is in use`);
}

async function ensureTopic(cluster: Cluster, plan: TopicPlan): Promise<ReadyTopic> {
  let places = await existing(cluster, plan.name);
  if (places === null) {
    await create(cluster, plan);
    places = await cluster.refresh(plan.name);
  }
  const settings = await settingsOf(cluster, plan.name);
  check(plan, places, settings);
  return {
    ...places,
    maxBatchBytes: Number(settings.get('max.message.bytes')),
    deleteRetentionMs: Number(settings.get('delete.retention.ms')),
  };
}

async function existing(cluster: Cluster, name: string): Promise<TopicPlaces | null> {
  try {
    return await cluster.refresh(name);
  } catch (error) {
    if (codeOf(error) === CODE.unknownTopicOrPartition) return null;
    throw error;
  }
}

async function create(cluster: Cluster, plan: TopicPlan): Promise<void> {
  const replication = plan.replication ?? Math.min(3, cluster.brokerCount);
  const settings: Record<string, string> = {
    'min.insync.replicas': replication >= 3 ? '2' : '1',
    'max.message.bytes': String(plan.maxBatchBytes ?? DEFAULT_BATCH_BYTES),
    ...(plan.appendTime === true ? { 'message.timestamp.type': 'LogAppendTime' } : {}),
    ...(plan.compacted === true
      ? {
          'cleanup.policy': 'compact',
          'delete.retention.ms': String(DELETE_RETENTION_MS),
          'segment.bytes': String(SEGMENT_BYTES),
          'min.cleanable.dirty.ratio': '0.1',
        }
      : {}),
    ...plan.settings,
  };
  const topic = {
    name: plan.name,
    numPartitions: plan.partitionCount,
    replicationFactor: replication,
    assignments: [],
    configs: Object.entries(settings).map(([name, value]) => ({ name, value })),
  };
  try {
    await cluster.callAny(createTopicsV7.api, [topic], CREATE_TIMEOUT_MS, false);
  } catch (error) {
    // Another instance was quicker: what it made is looked at like any other.
    if (codeOf(error) === CODE.topicAlreadyExists) return;
    if (codeOf(error) !== CODE.invalidReplicationFactor) throw error;
    const brokers = `${cluster.brokerCount} brokers are there`;
    throw mismatch(plan, `can't have ${replication} replicas: ${brokers}`);
  }
}

async function settingsOf(
  cluster: Cluster,
  name: string,
): Promise<ReadonlyMap<string, string | null>> {
  const configurationKeys = [
    'cleanup.policy',
    'delete.retention.ms',
    'max.message.bytes',
    'message.timestamp.type',
  ];
  const { results } = await cluster.callAny(describeConfigsV4.api, [
    { resourceType: TOPIC_RESOURCE, resourceName: name, configurationKeys },
  ]);
  return new Map(results[0]!.configs.map(({ name: key, value }) => [key, value ?? null]));
}

function check(
  plan: TopicPlan,
  { partitions }: TopicPlaces,
  settings: ReadonlyMap<string, string | null>,
): void {
  if (partitions.length !== plan.partitionCount) {
    throw mismatch(plan, `has ${partitions.length} partitions, not ${plan.partitionCount}`);
  }
  const policy = settings.get('cleanup.policy') ?? '';
  const compacted = plan.compacted === true;
  if (compacted !== policy.includes('compact') || (compacted && policy.includes('delete'))) {
    const wanted = compacted ? 'compact' : 'delete';
    throw mismatch(plan, `has cleanup.policy=${policy}, not ${wanted}`);
  }
  const times = settings.get('message.timestamp.type');
  if (plan.appendTime === true && times !== 'LogAppendTime') {
    throw mismatch(plan, `has message.timestamp.type=${times}, not LogAppendTime`);
  }
}

function mismatch(plan: TopicPlan, what: string): LullError {
  return new LullError('topic_mismatch', `the topic ${plan.name} ${what}`);
}

/** A refusal for good, in the broker's words where it has any. */
function describeRefusal(error: unknown): string {
  const [first] = (error as ResponseError).errors as { serverErrorMessage?: string | null }[];
  return first?.serverErrorMessage ?? describeFailure(error);
}
