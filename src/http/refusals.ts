/** Refusals: every one has the form {"error":{"code","message","hint"}} and the right status. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode, LullError } from '../errors.ts';
import type { Logger } from '../ops/logger.ts';

/** Seconds to wait that are given with a 503 or 507 that names none of its own. */
const RETRY_AFTER_SECONDS = 1;

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** A refusal that is not an operational error: an event that can't be used, say. */
export class Refused extends Error {
  readonly status: number;
  readonly refusal: Refusal;

  constructor(status: number, refusal: Refusal) {
    super(refusal.message);
    this.status = status;
    this.refusal = refusal;
  }
}

export function sendRefusal(reply: FastifyReply, status: number, refusal: Refusal): FastifyReply {
  const { code, message, hint } = refusal;
  if ((status === 503 || status === 507) && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', RETRY_AFTER_SECONDS);
  }
  return reply.code(status).type('application/json; charset=utf-8').send({
    error: { code, message, hint },
  });
}

/** What goes wrong in a route or before it; only defects are logged, and told nothing of. */
export function handleErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, ...refusal } = refusalOf(error);
    if (status === 500) logger.error({ err: error, url: request.url }, 'a request failed');
    return sendRefusal(reply, status, refusal);
  });
}

/** 405 where the path exists with another method, else 404. */
export function handleUnknownRoutes(app: FastifyInstance): void {
  const routes: { readonly pattern: RegExp; readonly methods: Set<string> }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const source = url.replace(/[.+*?()[\]{}|\\^$]/g, '\\$&').replace(/:[A-Za-z]+/g, '[^/]+');
    routes.push({ pattern: new RegExp(`^${source}$`), methods: new Set([method].flat()) });
  });
  app.setNotFoundHandler((request: FastifyRequest, reply) => {
    const path = request.url.split('?', 1)[0]!;
    const allowed = routes.filter(({ pattern }) => pattern.test(path));
    if (allowed.length === 0) {
      return sendRefusal(reply, 404, of('not_found', `there is nothing at ${path.slice(0, 200)}`));
    }
    const methods = [...new Set(allowed.flatMap((route) => [...route.methods]))].join(', ');
    reply.header('allow', methods);
    return sendRefusal(
      reply,
      405,
      of('method_not_allowed', `${path.slice(0, 200)} takes ${methods}`),
    );
  });
}

export function refusalOf(
  error: FastifyError | LullError | Refused,
): Refusal & { readonly status: number } {
  if (error instanceof LullError) {
    return { status: error.status, code: error.code, message: error.message, hint: error.hint };
  }
  if (error instanceof Refused) return { status: error.status, ...error.refusal };
  if (error.validation !== undefined) return { status: 400, ...invalidParameter(error) };
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return { status, ...malformed(error) };
  return { status: 500, ...of('internal', 'something failed here; nothing is wrong on your side') };
}

/** What the framework refuses before a route sees it. */
function malformed({ code, statusCode }: FastifyError): Refusal {
  if (code === 'FST_ERR_BAD_URL') {
    return of('invalid_parameter', 'the path is not percent-encoded UTF-8');
  }
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY') {
    return of('invalid_json', 'the body is not JSON');
  }
  if (statusCode === 413) return of('body_too_large', 'the body is too long');
  return of('invalid_request', 'the request is not well-formed HTTP');
}

/** Names the parameter, what is wrong with it, and what it is. */
function invalidParameter(error: FastifyError): Refusal {
  const [first] = error.validation ?? [];
  const missing = first?.params?.['missingProperty'];
  const name = typeof missing === 'string' ? missing : (first?.instancePath ?? '').slice(1);
  const schema = (first as { parentSchema?: { description?: string } } | undefined)?.parentSchema;
  const { code, hint } = of('invalid_parameter', '');
  const unknown = first?.params?.['additionalProperty'];
  if (typeof unknown === 'string') {
    return of('invalid_parameter', `${unknown.slice(0, 200)} is no parameter of this request`);
  }
  return {
    code,
    message: `${name || (error.validationContext ?? 'request')} ${first?.message ?? 'is not valid'}`,
    hint:
      schema?.description === undefined || name === '' ? hint : `${name}: ${schema.description}`,
  };
}

function of(code: ErrorCode, message: string): Refusal {
  return { code, message, hint: ERRORS[code].hint };
}
