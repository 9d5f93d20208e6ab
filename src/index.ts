/** The package's face: the pure core, to sessionize an array or drive a stream in a test. */
export {
  DEFAULT_DEFINITION,
  durationText,
  parseDuration,
  type SessionDefinition,
} from './core/definition.ts';
export type { Rejection, RejectionCode } from './core/event.ts';
export type {
  Channel,
  CloseReason,
  Fate,
  MergedRecord,
  SentRecord,
  SessionRecord,
  TrailRecord,
} from './core/output.ts';
export {
  type EventInput,
  type Outcome,
  Sessionizer,
  type SessionizerOptions,
  sessionize,
} from './core/sessionize.ts';
