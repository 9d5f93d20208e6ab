/** Every operational error: its code, what it means, and what to do about it. */

/** status: HTTP status when it reaches a caller. */
interface ErrorEntry {
  readonly status: number;
  readonly hint: string;
}

/** The one table of operational errors; docs/errors.md is tested against it. */
export const ERRORS = {
  wrong_usage: { status: 500, hint: 'add --help to the command to see what it takes' },
  invalid_setting: { status: 500, hint: 'lull config shows every setting and where it came from' },
  port_taken: { status: 500, hint: 'choose another with --port, as in npm start -- --port 8090' },
  address_unusable: { status: 500, hint: 'choose another with --host and --port' },
  input_unreadable: { status: 500, hint: 'check the name of the file and its permissions' },
  output_unwritable: { status: 500, hint: 'choose a file that you may write: --out FILE' },
  data_unwritable: { status: 500, hint: 'choose a folder that you may write: --data DIR' },
  data_locked: { status: 500, hint: 'stop the other process, or use another folder: --data DIR' },
  data_mismatch: { status: 500, hint: 'use the data folder with its own settings, or a new one' },
  library_missing: { status: 500, hint: 'install it: apt-get install libatomic1' },
  disk_full: { status: 507, hint: 'free some space, or choose another folder: --data DIR' },
  log_full: { status: 507, hint: 'raise --max-disk, or wait until old data has expired' },
  log_failed: { status: 503, hint: 'check the disk, then start again' },
  log_closed: { status: 503, hint: 'the system is stopping: try again in a moment' },
  log_corrupt: { status: 500, hint: 'restore the data folder from a backup, or start a new one' },
  live_unavailable: { status: 503, hint: 'ask again in a moment; /health says what is wrong' },
  live_refused: { status: 500, hint: "check REDIS_URL's user, password and TLS" },
  record_too_large: { status: 413, hint: "send smaller events, or raise the topic's limit" },
  log_unavailable: { status: 503, hint: 'Kafka does not take records just now: send again later' },
  kafka_unavailable: { status: 503, hint: 'check that the brokers run and can be reached' },
  kafka_refused: { status: 500, hint: 'check the user name, the password and the TLS settings' },
  kafka_too_old: { status: 500, hint: 'use Kafka 4.0 or newer, with transaction.version 2' },
  changelog_mismatch: {
    status: 500,
    hint: "set the group's position to that of the changelog, or begin with new topics",
  },
  topic_mismatch: { status: 500, hint: 'use other topic names, or settings that fit the topic' },
  history_unavailable: { status: 503, hint: 'ask again in a moment; /health says what is wrong' },
  history_refused: { status: 500, hint: "check PostgreSQL's address, user, password and TLS" },
  back_filling: { status: 503, hint: 'wait for /ready, then send again' },
  state_unavailable: { status: 503, hint: 'ask again in a moment; /health says what is wrong' },
  wrong_owner: { status: 421, hint: 'ask /api/sessions/active/:userId, which knows whom to ask' },
  not_ready: { status: 503, hint: 'wait for /ready, then ask again' },
  position_pending: { status: 503, hint: 'the write is stored but not yet visible: ask again' },
  too_busy: { status: 503, hint: 'send again in a moment, with fewer requests at a time' },
  too_many_streams: {
    status: 503,
    hint: 'close a stream that is no longer read, or ask again later',
  },
  target_unavailable: { status: 502, hint: 'check the address, and that lull start runs there' },
  target_refused: { status: 502, hint: 'the message says what the system there did not take' },
  invalid_cursor: { status: 400, hint: 'take nextCursor as it was given, or start without one' },
  invalid_request: { status: 400, hint: 'see /docs for what can be asked, and how' },
  invalid_parameter: { status: 400, hint: 'see /docs for what this request takes' },
  invalid_json: { status: 400, hint: 'send one JSON object, an array of them, or one a line' },
  body_too_large: { status: 413, hint: 'send at most 10 MB and 50,000 events in one request' },
  unauthorized: { status: 401, hint: 'send Authorization: Bearer TOKEN' },
  host_refused: {
    status: 403,
    hint: 'put the name into LULL_ALLOWED_HOSTS, or set LULL_TOKEN and ask with it',
  },
  origin_refused: {
    status: 403,
    hint: 'put its site into LULL_CORS_ORIGINS, or set LULL_TOKEN and ask with it',
  },
  rate_exceeded: { status: 429, hint: 'wait as long as Retry-After says, then send again' },
  unsupported_encoding: {
    status: 415,
    hint: 'send the body as it is, or with Content-Encoding: gzip',
  },
  user_unknown: { status: 404, hint: 'if one was just sent, ask again, or with Lull-After' },
  session_closed: { status: 404, hint: 'GET /api/sessions/history/:userId has it' },
  session_unknown: { status: 404, hint: 'take a sessionId from history, converted or a stream' },
  method_not_allowed: { status: 405, hint: 'see /docs for the methods of each path' },
  not_found: { status: 404, hint: 'see /docs for what can be asked' },
  internal: { status: 500, hint: 'this is a defect: report it with the line in the log' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** An operational error: something outside the program is not as it must be. */
export class LullError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly status: number;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; hint?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LullError';
    this.code = code;
    this.hint = options?.hint ?? ERRORS[code].hint;
    this.status = ERRORS[code].status;
  }
}
