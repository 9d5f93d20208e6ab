/** What people open in a browser: the links page, the description of the API, its style. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../http/server.ts';
import { docsPage } from './docs-page.ts';
import { homePage } from './home-page.ts';
import type { GatewayOptions } from './options.ts';
import { STYLE_SHEET } from './style-sheet.ts';

const DAY_MS = 86_400_000;
/** Pages hold no script, and take their style from here alone. */
const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function pageRoutes(app: App, options: GatewayOptions): void {
  const hidden = { schema: { hide: true } };

  app.get('/', hidden, async (request, reply) => {
    const nowMs = options.clock.nowMs();
    const figures = {
      activeSessions: await options.live.size(),
      day: await options.history.stats(nowMs - DAY_MS, nowMs),
      isReady: options.ready(),
    };
    return sendPage(reply, homePage(baseUrl(request), options.token !== null, figures));
  });
  app.get('/docs', hidden, async (request, reply) =>
    sendPage(reply, docsPage(app.swagger(), baseUrl(request), options.token !== null)),
  );
  app.get('/openapi.json', hidden, async () => app.swagger());
  app.get('/style.css', hidden, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=300').send(STYLE_SHEET),
  );
}

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .header('referrer-policy', 'no-referrer')
    .send(html);
}

/** Where the reader reached us, for lines to copy; nothing that isn't a plain host gets through. */
function baseUrl({ protocol, host }: FastifyRequest): string {
  return /^[A-Za-z0-9.:[\]_-]{1,255}$/.test(host)
    ? `${protocol}://${host}`
    : 'http://localhost:8080';
}
