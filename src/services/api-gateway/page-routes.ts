/** What people open in a browser: the dashboard's files, and the description of the API. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../http/server.ts';
import { docsPage } from './docs-page.ts';
import { htmlPage } from './html.ts';
import type { GatewayOptions } from './options.ts';
import { STYLE_SHEET } from './style-sheet.ts';

/** Where the build puts it, seen from the sources and from the package alike. */
const DASHBOARD = fileURLToPath(new URL('../../../dashboard/dist/', import.meta.url));

/** Paths that the dashboard's own router knows: all are the same page. */
const PAGES = ['/', '/sessions/:sessionId', '/users/:userId', '/explore', '/system'];

/** The docs hold no script, and take their style from here alone. */
const DOCS_POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Script and data from here alone, and no way to turn text into HTML or script. */
const DASHBOARD_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
};

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly brotli: Buffer | null;
}

export function pageRoutes(app: App, options: GatewayOptions): void {
  const hidden = { schema: { hide: true } };

  dashboardRoutes(app, readFiles(DASHBOARD));
  app.get('/docs', hidden, async (request, reply) =>
    sendPage(
      reply,
      DOCS_POLICY,
      docsPage(app.swagger(), baseUrl(request), options.access.token !== null),
    ),
  );
  app.get('/openapi.json', hidden, async () => app.swagger());
  app.get('/style.css', hidden, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=300').send(STYLE_SHEET),
  );
}

/** They hold no data, so none needs a token: the page asks for it. */
function dashboardRoutes(app: App, files: ReadonlyMap<string, PageFile>): void {
  const open = { schema: { hide: true }, config: { open: true } };
  const page = files.get('index.html');
  for (const path of PAGES) {
    app.get(path, open, async (request, reply) => {
      if (page === undefined) return sendPage(reply.code(503), DOCS_POLICY, NOT_BUILT);
      reply.header('content-security-policy', DASHBOARD_POLICY);
      reply.header('referrer-policy', 'no-referrer');
      return sendFile(request, reply, page);
    });
  }
  for (const [name, file] of files) {
    if (name === 'index.html') continue;
    // Names in assets/ hold a hash of what is in them.
    const cacheControl = name.startsWith('assets/') ? 'max-age=31536000, immutable' : 'max-age=300';
    app.get(`/${name}`, open, async (request, reply) => {
      return sendFile(request, reply.header('cache-control', cacheControl), file);
    });
  }
}

const NOT_BUILT = htmlPage(
  'Lull',
  `<header><h1>Lull</h1></header>
<p>The dashboard is not built yet: <code>node scripts/setup.js</code> builds it. Until then, see
<a href="/docs">every request</a>.</p>`,
);

/** All of it is in memory: it is small, and the same for everybody. */
function readFiles(folder: string): Map<string, PageFile> {
  const files = new Map<string, PageFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = join(folder, name);
    const brotli = existsSync(`${path}.br`) ? readFileSync(`${path}.br`) : null;
    files.set(name.replaceAll('\\', '/'), { type, body: readFileSync(path), brotli });
  }
  return files;
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.type(file.type).header('vary', 'accept-encoding');
  const accepted = request.headers['accept-encoding'] ?? '';
  if (file.brotli === null || !/\bbr\b/.test(accepted)) return reply.send(file.body);
  return reply.header('content-encoding', 'br').send(file.brotli);
}

function sendPage(reply: FastifyReply, policy: string, html: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policy)
    .header('referrer-policy', 'no-referrer')
    .send(html);
}

/** Where the reader reached us, for lines to copy; nothing that isn't a plain host gets through. */
function baseUrl({ protocol, host }: FastifyRequest): string {
  return /^[A-Za-z0-9.:[\]_-]{1,255}$/.test(host)
    ? `${protocol}://${host}`
    : 'http://localhost:8080';
}
