/** Who may ask: those who have the token, and web pages of which origins. */
import { createHash, timingSafeEqual } from 'node:crypto';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LullError } from '../errors.ts';
import { isLoopback } from '../ops/loopback.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token. */
    open?: boolean;
  }
}

export interface Access {
  /** What callers must send; null lets everybody in. */
  readonly token: string | null;
  /** Origins of other sites (`https://shop.example`) whose pages may ask from a browser. */
  readonly corsOrigins: readonly string[];
  /**
   * Nothing but the address guards it: it listens on loopback, without a token. Pages of other
   * sites, open in a browser on this machine, are then kept out by where they come from.
   */
  readonly isLocal: boolean;
}

/** Paths that need no token: what probes and scrapers ask for. */
const OPEN_PATHS = new Set(['/health', '/ready', '/metrics']);
/** How long browsers need not ask again whether they may. */
const PREFLIGHT_SECONDS = 600;

/** From what was set. */
export function accessOf(settings: {
  readonly host: string;
  readonly auth: 'token' | 'none';
  readonly token: string | null;
  readonly corsOrigins: readonly string[];
}): Access {
  const { host, auth, corsOrigins } = settings;
  const token = auth === 'none' ? null : settings.token;
  // `none` says that somebody else guards the port, and knows who may ask.
  return { token, corsOrigins, isLocal: auth === 'token' && token === null && isLoopback(host) };
}

/** Adds what keeps others out, before any route. */
export async function guard(app: FastifyInstance, access: Access): Promise<void> {
  const { token, corsOrigins, isLocal } = access;
  if (isLocal) requireLocalOrigin(app, corsOrigins);
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ['GET', 'POST', 'PUT'],
      allowedHeaders: ['authorization', 'content-type', 'content-encoding', 'lull-after'],
      exposedHeaders: ['retry-after'],
      maxAge: PREFLIGHT_SECONDS,
    });
  }
  if (token !== null) requireToken(app, token);
}

/**
 * Refuses requests that a browser sends for another site's page, and those that reached this
 * machine by a name that is not its own: such a name may be a page's that points to 127.0.0.1
 * (DNS rebinding).
 */
function requireLocalOrigin(app: FastifyInstance, corsOrigins: readonly string[]): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { origin } = request.headers;
    if (!isLoopback(hostOf(request))) {
      return done(new LullError('origin_refused', `${request.host} is no name of this machine`));
    }
    if (origin === undefined || corsOrigins.includes(origin)) return done();
    if (isLoopback(URL.parse(origin)?.hostname ?? '')) return done();
    done(new LullError('origin_refused', `pages of ${origin.slice(0, 200)} may not ask here`));
  });
}

/** Without the port; HTTP/1.0 needs no name, and then it is the address. */
function hostOf({ host }: FastifyRequest): string {
  return host === '' ? 'localhost' : (URL.parse(`http://${host}`)?.hostname ?? '');
}

/** Compares hashes, so that neither the time taken nor the length tells anything of the token. */
function requireToken(app: FastifyInstance, token: string): void {
  const expected = digest(`Bearer ${token}`);
  app.addHook('onRequest', (request, reply, done) => {
    const { url = '', config } = request.routeOptions;
    if (config.open || OPEN_PATHS.has(url)) return done();
    const given = (request.headers.authorization ?? '').replace(/^bearer +/i, 'Bearer ');
    if (timingSafeEqual(digest(given), expected)) return done();
    reply.header('www-authenticate', 'Bearer');
    done(new LullError('unauthorized', given === '' ? 'a token is needed' : 'the token is wrong'));
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
