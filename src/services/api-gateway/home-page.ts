/** The page at `/`: what the system holds now, where to look, three requests to try. */
import type { SessionStats } from '../../history/history.ts';
import { curlLine, EVENT_JSON, escapeHtml, htmlPage } from './html.ts';

export interface HomeFigures {
  readonly activeSessions: number;
  /** Over the last 24 hours. */
  readonly day: SessionStats;
  readonly isReady: boolean;
}

export function homePage(url: string, needsToken: boolean, figures: HomeFigures): string {
  const { activeSessions, day, isReady } = figures;
  return htmlPage(
    'Lull',
    `<header>
<h1>Lull</h1>
<p>User events in, sessions out. A session is what lies between two lulls.</p>
${isReady ? '' : '<p class="notice">Starting: history is still being filled. Reload in a moment.</p>'}
</header>
<dl class="figures">
${figure('live sessions', whole(activeSessions))}
${figure('closed in 24 h', whole(day.totalSessions))}
${figure('average length', lengthText(day.averageDuration))}
${figure('converted', `${(day.conversionRate * 100).toFixed(1)} %`)}
</dl>
<h2>Try</h2>
${tries(url, needsToken, activeSessions + day.totalSessions === 0)}
<h2>Look</h2>
<ul class="links">
${LINKS.map(([path, text]) => `<li><a href="${path}"><code>${path}</code></a> ${text}</li>`).join('\n')}
</ul>`,
  );
}

const LINKS: readonly (readonly [path: string, text: string])[] = [
  ['/api/sessions/active', 'live sessions'],
  ['/api/sessions/converted', 'closed sessions with a purchase'],
  ['/api/analytics/stats', 'the last 24 hours in figures'],
  ['/docs', 'every request, described'],
  ['/openapi.json', 'the same for programs'],
  ['/health', 'how the parts are'],
  ['/metrics', 'for Prometheus'],
];

type Try = readonly [question: string, path: string, json?: string];

const TRIES: readonly Try[] = [
  ['What is this shopper doing right now?', '/api/sessions/active/user-1'],
  ['What did they do before?', '/api/sessions/history/user-1?limit=3'],
  ['How did the last day go?', '/api/analytics/stats?hours=24'],
];

/** For a system that has seen nothing yet. */
const FIRST_TRIES: readonly Try[] = [
  ['Send an event', '/api/events', EVENT_JSON],
  ['See the session that it opened', '/api/sessions/active/me'],
  ['Watch sessions change', '/api/stream/sessions'],
];

function tries(url: string, needsToken: boolean, isEmpty: boolean): string {
  return (isEmpty ? FIRST_TRIES : TRIES)
    .map(([question, path, json]) => {
      const options = json === undefined ? { needsToken } : { needsToken, json };
      const line = curlLine(`${url}${path}`, { ...options, streams: path.includes('/stream/') });
      return `<p>${question}</p>\n<pre><code>${escapeHtml(line)}</code></pre>`;
    })
    .join('\n');
}

function figure(name: string, value: string): string {
  return `<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function whole(value: number): string {
  return value.toLocaleString('en');
}

function lengthText(seconds: number): string {
  const rounded = Math.round(seconds);
  return rounded < 60 ? `${rounded} s` : `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}
