/** What `lull start` prints: where to look, what to try, where the data is, how to stop. */
import type { Config } from '../config.ts';
import { durationText } from '../core/definition.ts';
import { counted, sized } from '../ops/report.ts';
import type { BackfillProgress } from '../services/event-producer/event-producer.ts';

export function startScreen(config: Config, url: string, diskBytes: number): string {
  const curl = config.auth === 'token' && config.token !== null ? CURL_WITH_TOKEN : 'curl';
  const size = diskBytes > 0 ? `  (${sized(diskBytes)})` : '';
  return `Lull is running: ${url}

${config.simulate ? requests(curl, url) : firstEvent(curl, url, config)}
Look   ${url} in a browser; ${url}/docs for every request
Data   ${config.dataDir}${size}
Stop   Ctrl-C
Reset  rm -rf ${shellWord(config.dataDir)}  (once it has stopped)
`;
}

/** The same for the log, where programs read it. */
export function startLine(config: Config, url: string) {
  const { auth, token, corsOrigins, intakeRatePerSecond, dataDir, partitions, definition } = config;
  const guarded = token === null ? 'this machine alone' : 'whoever has the token';
  return {
    ...{ url, health: `${url}/health`, metrics: `${url}/metrics`, data: dataDir },
    mayAsk: auth === 'none' ? 'anybody' : guarded,
    ...{ corsOrigins, intakeRatePerSecond, partitions },
    gap: durationText(definition.gapMs),
    tiers: definition.tiersMs.map(durationText),
  };
}

const CURL_WITH_TOKEN = 'curl -H "Authorization: Bearer $LULL_TOKEN"';

function requests(curl: string, url: string): string {
  return `Try    ${curl} "${url}/api/sessions/active/user-1"
       ${curl} "${url}/api/sessions/history/user-1?limit=3"
       ${curl} "${url}/api/analytics/stats?hours=24"
`;
}

/** Without shoppers there is nothing to see before somebody sends an event. */
function firstEvent(curl: string, url: string, { definition }: Config): string {
  const { gapMs, tiersMs, idleMs } = definition;
  const closesMs = Math.max(gapMs + tiersMs[0]!, idleMs);
  const body =
    '{\\"userId\\":\\"me\\",\\"eventType\\":\\"PAGE_VIEW\\",\\"timestamp\\":$(date +%s)000}';
  const sooner = closesMs > 60_000 ? '; --gap 10s --grace 2s shows it at once' : '';
  return `Try    ${curl} "${url}/api/events" -H "Content-Type: application/json" -d "${body}"
       ${curl} "${url}/api/sessions/active/me"
       ${curl} "${url}/api/sessions/history/me"
       The session closes ${durationText(closesMs)} after its last event${sooner}
`;
}

export function backfillLine({ doneMs, totalMs, events }: BackfillProgress): string {
  const percent = totalMs === 0 ? 100 : Math.floor((100 * doneMs) / totalMs);
  const minutes = Math.max(1, Math.round(totalMs / 60_000));
  const span = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `Filling in the last ${span}: ${percent} %, ${counted(events)} events`;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
