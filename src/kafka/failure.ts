/** What went wrong with a request to Kafka: passing, for ever, or the caller's own affair. */
import {
  AuthenticationError,
  GenericError,
  NetworkError,
  ResponseError,
  UserError,
} from '@platformatic/kafka';

/** Kafka's error codes that somebody here decides by. */
export const CODE = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  invalidReplicationFactor: 38,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  concurrentTransactions: 51,
  unknownProducerId: 59,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  memberIdRequired: 79,
  unstableOffsetCommit: 88,
  producerFenced: 90,
  unknownTopicId: 100,
  transactionAbortable: 120,
} as const;

/** Gone by itself after a while, mostly with a newer leader or coordinator. */
const PASSING: ReadonlySet<number> = new Set([
  2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 74, 75, 78, 88, 89, 100, 106,
]);

/** The certificate or the protocol is wrong: OpenSSL's and Node's names for it. */
const TLS_REFUSED = /CERT|SELF_SIGNED|UNABLE_TO|^ERR_TLS|^ERR_SSL|^EPROTO/;

export function isPassing(code: number): boolean {
  return PASSING.has(code);
}

/** The code of a refusal by the broker; null when no broker has answered. */
export function codeOf(error: unknown): number | null {
  if (!(error instanceof ResponseError)) return null;
  const [first] = error.errors as { apiCode?: number }[];
  return first?.apiCode ?? null;
}

/** Whether the same request may succeed later. */
export function mayPass(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== null) return isPassing(code);
  return error instanceof GenericError || isAggregate(error) ? refusalOf(error) === null : false;
}

/** Why brokers will never take this client as it is, in words; null when that isn't the trouble. */
export function refusalOf(error: unknown): string | null {
  for (const each of withCauses(error)) {
    if (each instanceof AuthenticationError || each instanceof UserError) return each.message;
    const code = (each as { code?: unknown }).code;
    if (typeof code === 'string' && TLS_REFUSED.test(code)) return `${code}: ${each.message}`;
  }
  return null;
}

/**
 * A failure that may pass, where the error is a hang-up in the middle of the TLS handshake: the
 * driver takes that for a broker that speaks no TLS. Null for any other.
 */
export function cutHandshake(error: unknown): Error | null {
  const cut = withCauses(error).find((each) => {
    return (
      each instanceof UserError && (each.cause as NodeJS.ErrnoException)?.code === 'ECONNRESET'
    );
  });
  return cut === undefined ? null : new NetworkError('the broker hung up on the TLS handshake');
}

/** The innermost reasons, for people. */
export function describeFailure(error: unknown): string {
  const messages = withCauses(error)
    .filter((each) => each.cause === undefined && !isAggregate(each))
    .map((each) => (each as { apiId?: string }).apiId ?? each.message);
  return [...new Set(messages)].join('; ');
}

function withCauses(error: unknown): Error[] {
  if (!(error instanceof Error)) return [];
  const inner = isAggregate(error) ? error.errors : [];
  return [error, ...[error.cause, ...inner].flatMap(withCauses)];
}

function isAggregate(error: unknown): error is AggregateError {
  return error instanceof AggregateError;
}
