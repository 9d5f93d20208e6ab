/** POST /api/events: the collector's door, with its bounds on what is in flight. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { Type } from 'typebox';
import { LullError } from '../../errors.ts';
import { Refused } from '../../http/refusals.ts';
import { REFUSALS } from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import { type Collected, collect, MAX_BODY_BYTES } from './collector.ts';
import { collectorMetrics } from './collector-metrics.ts';
import { IntakeRate } from './intake-rate.ts';
import type { GatewayOptions } from './options.ts';

/** Bytes of bodies being received, decoded or appended. */
const MAX_IN_FLIGHT_BYTES = 128 * 1024 * 1024;
/** What a request counts beside its body, so that their number is bounded too. */
const REQUEST_BYTES = 16 * 1024;

const inflate = promisify(gunzip);

const Accepted = Type.Unsafe<Omit<Collected, 'form'>>(
  Type.Object(
    {
      accepted: Type.Integer(),
      rejected: Type.Array(
        Type.Object({
          index: Type.Integer({ description: 'which event of the request, from 0' }),
          code: Type.String(),
          message: Type.String(),
          hint: Type.String(),
        }),
      ),
      position: Type.String({ description: 'what to send as Lull-After to read this write' }),
    },
    { description: 'The log has it, synced' },
  ),
);

export function collectorRoutes(app: App, options: GatewayOptions): void {
  const { events, clock, definition, intake } = options;
  const counts = collectorMetrics(options.metrics);
  const budget = new Budget();
  options.metrics.queue('intake_bytes', MAX_IN_FLIGHT_BYTES, () => budget.bytes);
  const { intakeRatePerSecond } = options;
  const rate = intakeRatePerSecond === 0 ? null : new IntakeRate(intakeRatePerSecond, clock);
  const collector = { events, clock, maxFutureMs: definition.maxFutureMs };

  const admit: onRequestHookHandler = (request, reply, done) => {
    const closed = intake();
    if (closed !== null) {
      reply.header('retry-after', closed.retryAfterSeconds);
      return done(new LullError(closed.code, closed.message));
    }
    const waitMs = rate?.waitMs(request.ip) ?? 0;
    if (waitMs > 0) {
      reply.header('retry-after', Math.ceil(waitMs / 1000));
      const message = `more than ${intakeRatePerSecond} events a second come from ${request.ip}`;
      return done(new LullError('rate_exceeded', message));
    }
    const share = budget.take(REQUEST_BYTES + declaredBytes(request));
    if (share === null) return done(tooBusy());
    reply.raw.once('close', () => share.shrink(0));
    done();
  };

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body);
    });
    scope.route({
      method: 'POST',
      url: '/api/events',
      bodyLimit: MAX_BODY_BYTES,
      onRequest: admit,
      // The body is decoded event by event, each with a reason of its own.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Send events: one, an array, or one a line (NDJSON), gzipped or not',
        tags: ['events'],
        body: Type.Union([Type.Ref('Event'), Type.Array(Type.Ref('Event'))]),
        response: { 202: Accepted, ...REFUSALS },
      },
      handler: async (request, reply) => {
        const received = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const body = await plainBody(request, reply, received);
        const { form, ...answer } = await collect(collector, body, isLines(request));
        rate?.charge(request.ip, answer.accepted + answer.rejected.length);
        counts.accepted(answer.accepted);
        for (const { code } of answer.rejected) counts.rejected(code);
        const [refused] = answer.rejected;
        if (form === 'single' && refused !== undefined) {
          throw new Refused(refused.code === 'event_too_large' ? 413 : 400, refused);
        }
        return reply.code(202).send(answer);
      },
    });
  });

  /** Inflates gzip, told by its header or by its first bytes (some clients don't say). */
  async function plainBody(request: FastifyRequest, reply: FastifyReply, body: Buffer) {
    const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
    if (!['identity', '', 'gzip', 'x-gzip'].includes(encoding)) {
      throw new LullError('unsupported_encoding', `Content-Encoding ${encoding} is not read here`);
    }
    if (body[0] !== 0x1f || body[1] !== 0x8b) return body;
    // It may become as large as that, and all that come at once grow side by side.
    const share = reply.raw.destroyed ? null : budget.take(MAX_BODY_BYTES);
    if (share === null) throw tooBusy();
    reply.raw.once('close', () => share.shrink(0));
    const plain = await inflated(body);
    share.shrink(plain.length);
    return plain;
  }
}

/** Part of what may be in flight. */
interface Share {
  /** Gives back all beyond so much. */
  shrink(bytes: number): void;
}

/** Counts what is in flight; refuses what would be too much. */
class Budget {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Null when there is no room. */
  take(bytes: number): Share | null {
    if (this.#bytes + bytes > MAX_IN_FLIGHT_BYTES) return null;
    this.#bytes += bytes;
    let held = bytes;
    const shrink = (to: number) => {
      this.#bytes -= Math.max(0, held - to);
      held = Math.min(held, to);
    };
    return { shrink };
  }
}

/** The body's length as the sender says; the most it can be where it says nothing. */
function declaredBytes({ headers }: FastifyRequest): number {
  const length = Number(headers['content-length'] ?? Number.NaN);
  return Number.isNaN(length) ? MAX_BODY_BYTES : Math.min(length, MAX_BODY_BYTES);
}

async function inflated(body: Buffer): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new LullError('body_too_large', 'the body is longer than 10 MB when inflated');
    }
    throw new LullError('invalid_json', 'the body begins like gzip but is not');
  }
}

function isLines({ headers }: FastifyRequest): boolean {
  return /ndjson|jsonl|json-seq|jsonlines/i.test(headers['content-type'] ?? '');
}

function tooBusy(): LullError {
  return new LullError('too_busy', 'too many events are on their way in');
}
