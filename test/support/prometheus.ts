/** A real Prometheus on a free port, and promtool, for tests of what it is given. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { unless } from './prerequisite.ts';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** NaN and infinities as well. */
  readonly value: number;
}

export interface Prometheus {
  /** The samples of a PromQL expression now; rejects when Prometheus can't read it. */
  query(expression: string): Promise<Sample[]>;
  stop(): Promise<void>;
}

/** For a test's `skip`. */
export function unlessPrometheus(): string | false {
  const isThere = ['prometheus', 'promtool'].every((name) =>
    (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name))),
  );
  return unless(isThere, 'prometheus and promtool are not installed');
}

/** What promtool says, and whether it is content. */
export function promtool(parameters: readonly string[], input = ''): { ok: boolean; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', parameters, { input, encoding: 'utf8' });
  return { ok: status === 0, said: `${stdout}${stderr}` };
}

/** Scrapes these addresses, by job, every second, and records by the rules of `deploy`. */
export async function startPrometheus(
  targets: Readonly<Record<string, readonly string[]>>,
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-prometheus-'));
  const jobs = Object.entries(targets).map(([job_name, urls]) => {
    return { job_name, static_configs: [{ targets: urls.map((url) => new URL(url).host) }] };
  });
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [resolve('deploy/prometheus/rules/*.yml')],
    scrape_configs: jobs,
  };
  const file = join(folder, 'prometheus.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const server = spawn('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ]);
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(server, 'exit');
  while (!(await isReady(address))) {
    if (server.exitCode !== null) throw new Error(`prometheus ended: ${said}`);
    await sleep(100);
  }
  return {
    query: (expression) => ask(address, expression),
    async stop() {
      server.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function ask(address: string, expression: string): Promise<Sample[]> {
  const body = new URLSearchParams({ query: expression });
  const answer = await fetch(`http://${address}/api/v1/query`, { method: 'POST', body });
  const { status, data, error } = (await answer.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  if (status !== 'success') throw new Error(`${expression}: ${error}`);
  return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/-/ready`)).ok;
  } catch {
    return false;
  }
}
