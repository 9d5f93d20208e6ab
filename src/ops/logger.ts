/** Diagnostics, as JSON lines on standard error; secrets are hidden whoever logs them. */
import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields that are hidden, at the top of what is logged and up to three levels further down. */
const SECRETS = ['token', 'authorization', 'cookie', 'password', 'secret'];

/** Lines go to standard error, where they don't mix with records on standard output. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]);
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '[hidden]' },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
