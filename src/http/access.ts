/** Who may ask: those who have the token, and web pages of which origins. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
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
   * Without a token, the names by which requests may come, beside addresses and those of this
   * machine; null for any.
   */
  readonly allowedHosts: readonly string[] | null;
}

/** Paths that need no token: what probes and scrapers ask for. */
const OPEN_PATHS = new Set(['/health', '/ready', '/metrics']);
/** What pages of other sites may say beyond the ordinary. */
const REQUEST_HEADERS = [
  ...['authorization', 'content-type', 'content-encoding'],
  ...['lull-after', 'last-event-id'],
];
/** How long browsers need not ask again whether they may. */
const PREFLIGHT_SECONDS = 600;

/** From what was set; `ownHost` is the name that other instances know this one by. */
export function accessOf(
  settings: {
    readonly auth: 'token' | 'none';
    readonly token: string | null;
    readonly corsOrigins: readonly string[];
    readonly allowedHosts: readonly string[];
  },
  ownHost?: string,
): Access {
  const { auth, corsOrigins, allowedHosts } = settings;
  const token = auth === 'none' ? null : settings.token;
  // `none` says that somebody else guards the port: by which names, they need not say.
  if (token !== null || (auth === 'none' && allowedHosts.length === 0)) {
    return { token, corsOrigins, allowedHosts: null };
  }
  const own = ownHost === undefined ? [] : [ownHost.toLowerCase()];
  return { token, corsOrigins, allowedHosts: [...allowedHosts, ...own] };
}

/** Adds what keeps others out, before any route. */
export async function guard(app: FastifyInstance, access: Access): Promise<void> {
  const { token, corsOrigins } = access;
  if (token === null) requireOwnOrigin(app, access);
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ['GET', 'POST', 'PUT'],
      allowedHeaders: REQUEST_HEADERS,
      exposedHeaders: ['retry-after'],
      maxAge: PREFLIGHT_SECONDS,
    });
  }
  if (token !== null) requireToken(app, token);
}

/**
 * Refuses requests that a browser sends for another site's page, and those that came by a name
 * which is none of ours: such a name may be a page's that points to this machine (DNS rebinding).
 */
function requireOwnOrigin(app: FastifyInstance, { corsOrigins, allowedHosts }: Access): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { origin } = request.headers;
    const host = hostOf(request);
    if (allowedHosts !== null && !isOfThisMachine(host) && !allowedHosts.includes(host)) {
      return done(new LullError('host_refused', `${request.host} is no name of this system`));
    }
    if (origin === undefined || corsOrigins.includes(origin)) return done();
    const from = URL.parse(origin)?.hostname ?? '';
    if (isLoopback(from) || (from === host && from !== '')) return done();
    done(new LullError('origin_refused', `pages of ${origin.slice(0, 200)} may not ask here`));
  });
}

/** Without the port; HTTP/1.0 needs no name, and then it is the address. */
function hostOf({ host }: FastifyRequest): string {
  return host === '' ? 'localhost' : (URL.parse(`http://${host}`)?.hostname ?? '');
}

/** Addresses are: no name stands between them and what they point to. */
function isOfThisMachine(host: string): boolean {
  return isLoopback(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
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
