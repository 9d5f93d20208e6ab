/** Events user by user, each user's in order: the one way in which stored events are read. */
import type { Vocabulary } from './vocabulary.ts';

/**
 * Stands before the first user. Users come in the order of their ids (as JavaScript compares
 * texts), events by time, then id, then content. Before the next user all events must be taken.
 */
export interface EventCursor {
  /** What the numbers of texts mean; it may change with every step. */
  readonly vocabulary: Vocabulary;
  readonly user: string;
  readonly time: number;
  readonly idHash: number;
  /** By role, numbers in the vocabulary; overwritten by the next event. */
  readonly texts: Int32Array;
  /** False when there is no other user. */
  nextUser(): boolean;
  /** False when the user has no other event. */
  nextEvent(): boolean;
}
