/** The broker that coordinates a group or a transactional id, found again when it moves. */
import type { API } from '@platformatic/kafka';
import type { Cluster, Lane } from './cluster.ts';
import { mayPass } from './failure.ts';

export class Coordinator {
  readonly #cluster: Cluster;
  readonly #kind: 'group' | 'transaction';
  readonly #key: string;
  readonly #lane: Lane;
  #node: number | null = null;

  constructor(cluster: Cluster, kind: 'group' | 'transaction', key: string, lane: Lane) {
    this.#cluster = cluster;
    this.#kind = kind;
    this.#key = key;
    this.#lane = lane;
  }

  /** One attempt; after one that failed for a passing reason the next looks for it anew. */
  async call<Parameters extends unknown[], Answer>(
    api: API<Parameters, Answer>,
    ...parameters: Parameters
  ): Promise<Answer> {
    try {
      this.#node ??= await this.#cluster.coordinator(this.#kind, this.#key);
      return await this.#cluster.call(this.#node, this.#lane, api, ...parameters);
    } catch (error) {
      if (mayPass(error)) this.#node = null;
      throw error;
    }
  }
}
