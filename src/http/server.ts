/** What every HTTP port of Lull has in common: bounds, access, refusals, metrics, its end. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  fastify,
  type RawServerDefault,
} from 'fastify';
import { LullError } from '../errors.ts';
import type { Logger } from '../ops/logger.ts';
import type { Metrics } from '../ops/metrics.ts';
import { type Access, guard } from './access.ts';
import { handleErrors, handleUnknownRoutes, refusalOf, sendRefusal } from './refusals.ts';
import { measureRequests } from './request-metrics.ts';
import { SHARED_SCHEMAS } from './schemas.ts';

/** Fastify, with types taken from each route's schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface HttpOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly access: Access;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Of bodies other than events. */
const BODY_BYTES = 64 * 1024;
/** With as many streams open, others must still get through. */
const MAX_CONNECTIONS = 12_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** For a request to arrive whole; answers are not bounded by it. */
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** How long requests under way may take once the gateway closes. */
const DRAIN_MS = 5000;
/** Longest header block that Node takes is 16 kB, so no parameter is cut short of its own check. */
const MAX_PARAM_CHARS = 16_384;

export interface HttpServer {
  readonly url: string;
  /** Lets requests under way finish for 5 s, and stops listening. */
  close(): Promise<void>;
}

/**
 * Listens, with the routes that `register` adds; rejects with `port_taken` when the port is in use,
 * `address_unusable` else.
 */
export async function startHttpServer(
  options: HttpOptions,
  register: (app: App) => void | Promise<void>,
): Promise<HttpServer> {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    // Answered by the routes themselves while closing, so that refusals keep their form.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    ajv: { customOptions: { verbose: true, removeAdditional: false } },
    frameworkErrors: (error, _request, reply) => {
      const { status, ...refusal } = refusalOf(error);
      sendRefusal(reply, status, refusal);
    },
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
  }).withTypeProvider<TypeBoxTypeProvider>();

  for (const schema of SHARED_SCHEMAS) app.addSchema(schema);
  // Whatever a body is called, it is read as JSON.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  handleErrors(app, options.logger);
  handleUnknownRoutes(app);
  measureRequests(app, options.metrics);
  setCommonHeaders(app);
  await guard(app, options.access);
  await register(app);
  app.server.maxConnections = MAX_CONNECTIONS;
  const url = await listen(app, options);
  return { url, close: () => close(app) };
}

/** Rejects as `startHttpServer` would, in time to leave everything else undone. */
export async function refusePortTaken({ host, port }: Address): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    throw listenError(error, { host, port });
  }
  server.close();
  await once(server, 'close');
}

type Address = Pick<HttpOptions, 'host' | 'port'>;

async function listen(app: FastifyInstance, { host, port }: Address): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, { host, port });
  }
}

function listenError(cause: unknown, { host, port }: Address): unknown {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const free = port < 60_000 ? port + 10 : 8090;
    const hint = `choose another with --port, as in npm start -- --port ${free}`;
    return new LullError('port_taken', `port ${port} is in use`, { cause, hint });
  }
  if (syscall === undefined) return cause;
  const message = `${host}, port ${port} can't be listened on: ${code}`;
  return new LullError('address_unusable', message, { cause });
}

async function close(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
  // A connection that falls idle only now would be kept for its next request.
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  await app.close();
  clearInterval(idle);
  clearTimeout(timer);
}

function setCommonHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
    done();
  });
}

/** What can't be parsed as HTTP at all never reaches a route: answered on the bare socket. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: import('node:net').Socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
  const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = tooLong ? 431 : timedOut ? 408 : 400;
  const reason = tooLong ? 'Headers Too Large' : timedOut ? 'Request Timeout' : 'Bad Request';
  const { status: _status, ...refusal } = refusalOf(
    Object.assign(new Error(), { statusCode: status, code: '', name: '' }),
  );
  const body = JSON.stringify({ error: refusal });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
