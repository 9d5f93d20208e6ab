/**
 * deploy/compose.yaml by the real `docker compose`: up in order, the brief typed into a terminal, a
 * service killed, everything taken down and up again, and nothing left at the end.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { eventually, get, post } from '../support/running-system.ts';
import { commandsOf, isSql, readBriefPage } from './brief.ts';
import { type Docker, startDocker, unlessDocker } from './docker.ts';

const GATEWAY = 'http://127.0.0.1:8080';
const SERVICES = ['event-producer', 'session-processor', 'session-analytics', 'api-gateway'];
const ALL = [...SERVICES, 'kafka', 'redis', 'postgres', 'prometheus', 'grafana'].sort();
const bound = { timeout: 1_800_000 };

interface Container {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    Pid: number;
    OOMKilled: boolean;
    StartedAt: string;
    Health: { Status: string };
  };
  readonly Config: { User: string; Labels: Record<string, string> };
  readonly HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] | null };
}

interface Active {
  readonly eventCount: number;
  readonly source: string;
}

/** What each block of the brief must say, by a part of it. */
const ANSWERS: readonly [part: string, answer: RegExp][] = [
  ['3000/api/health', /"ok": true|"database": "ok"/],
  ['8080/health', /"status":"ok"/],
  ['test-sessionization.sh', /\b0 failed\b/],
  ['load-test.sh', /./],
  ['/api/sessions/active/', /"(userId|code)"/],
  ['/api/sessions/history/', /"items"/],
  ['/api/analytics/stats', /"conversionRate"/],
  ['/api/sessions/converted', /"hasConversion": true/],
  ['SELECT COUNT(*)', /count.*session_count.*conversion_rate/s],
  ['docker logs', /event-producer/],
  ['kafka-console-consumer', /"eventId".*Processed a total of 5 messages/s],
  ['redis-cli', /keyspace_hits:\d+/],
  ['pg_stat_statements', /userid/],
  ['9090', /Ready/],
  ['du -sh', /\d+\S*\s+\/data/],
];
/** Each in its turn, further down. */
const ENDS = ['docker-compose down', 'docker-compose down -v'];

suite('the system in containers', { skip: unlessDocker(), ...bound }, () => {
  let docker: Docker;
  const userId = `compose-${Date.now()}`;
  before(async () => {
    process.env['LULL_BACKFILL'] ??= '1h';
    docker = await startDocker(['deploy/compose.yaml']);
    await docker.sh('docker compose down -v');
  }, bound);
  after(async () => {
    await docker?.sh('docker compose down -v');
    await docker?.stop();
  }, bound);

  async function containers(): Promise<ReadonlyMap<string, Container>> {
    const found = await docker.sh('docker inspect $(docker compose ps -aq)');
    return new Map(
      (JSON.parse(found) as Container[]).map((each) => [
        each.Config.Labels['com.docker.compose.service']!,
        each,
      ]),
    );
  }

  const visit = () =>
    post(GATEWAY, { userId, eventType: 'PAGE_VIEW', page: '/', timestamp: Date.now() });
  const activeWith = (eventCount: number) =>
    eventually(
      () => get<Active>(`${GATEWAY}/api/sessions/active/${userId}`),
      ({ status, body }) => status === 200 && body.eventCount === eventCount,
    );

  test('comes up, in order, and all of it is healthy', bound, async () => {
    await docker.sh('docker compose up --build -d --wait --wait-timeout 1200');
    const running = await containers();
    assert.deepEqual([...running.keys()].sort(), ALL);
    for (const { Name, State } of running.values()) {
      assert.equal(State.Health.Status, 'healthy', Name);
    }
    const order = ['kafka', 'session-processor', 'event-producer', 'api-gateway'];
    const started = order.map((name) => running.get(name)!.State.StartedAt);
    assert.deepEqual(started, started.toSorted());
  });

  test('the services have no more rights than they need', async () => {
    const running = await containers();
    for (const name of SERVICES) {
      const { Config, HostConfig } = running.get(name)!;
      assert.equal(Config.User, 'node', name);
      assert.equal(HostConfig.ReadonlyRootfs, true, name);
      assert.deepEqual(HostConfig.CapDrop, ['ALL'], name);
    }
  });

  test('Prometheus reaches every service, and its rules hold', async () => {
    const api = 'http://127.0.0.1:9090/api/v1';
    interface Targets {
      readonly data: { readonly activeTargets: { health: string; labels: { job: string } }[] };
    }
    const { body } = await eventually(
      () => get<Targets>(`${api}/targets`),
      (answer) => answer.body.data.activeTargets.every(({ health }) => health === 'up'),
    );
    const jobs = body.data.activeTargets.map(({ labels }) => labels.job).sort();
    assert.deepEqual(jobs, SERVICES.toSorted());
    interface Rules {
      readonly data: { readonly groups: { rules: { name: string; lastError?: string }[] }[] };
    }
    const rules = (await get<Rules>(`${api}/rules`)).body.data.groups.flatMap(
      (group) => group.rules,
    );
    assert.ok(rules.length > 0);
    assert.deepEqual(
      rules.filter(({ lastError }) => lastError),
      [],
    );
  });

  for (const block of briefBlocks()) {
    const [first = ''] = commandsOf(block);
    test(`the brief: ${first.replaceAll(/\s+/g, ' ')}`, bound, async (t) => {
      const [, script] = /^\.\/(\S+\.sh)$/m.exec(block) ?? [];
      const place = block.startsWith('cd integration-tests') ? 'integration-tests/' : '';
      if (script !== undefined && !existsSync(`${place}${script}`)) return t.skip('not there');
      const commands = commandsOf(block);
      // What comes after psql is typed into it.
      const typed = commands.filter(isSql).map((statement) => `${statement}\n`);
      const shell = commands.filter((command) => !isSql(command)).join('\n');
      const input = typed.length === 0 ? '' : `${typed.join('')}\\q\n`;
      // How fast it is on a machine that does other work too says nothing.
      const flags = script === 'load-test.sh' ? ' --no-verdict --duration 20s' : '';
      const said = await docker.type(`${shell}${flags}`, input);
      const [, answer] = ANSWERS.find(([part]) => block.includes(part))!;
      assert.match(said, answer);
    });
  }

  test('a processor that is killed comes back by itself, with what it knew', bound, async () => {
    await visit();
    await visit();
    await activeWith(2);
    const before = (await containers()).get('session-processor')!;
    process.kill(before.State.Pid, 'SIGKILL');
    await visit();
    await activeWith(3);
    const after = await eventually(
      async () => (await containers()).get('session-processor')!,
      ({ State }) => State.Health.Status === 'healthy' && State.Pid !== before.State.Pid,
    );
    assert.equal(after.RestartCount, before.RestartCount + 1);
  });

  test('Redis that is killed is missed by nobody, and filled again', bound, async () => {
    await docker.sh('docker compose kill redis');
    assert.equal((await get(`${GATEWAY}/api/sessions/active/${userId}`)).status, 200);
    await docker.sh('docker compose up -d --wait redis');
    const { body } = await eventually(
      () => get<Active>(`${GATEWAY}/api/sessions/active/${userId}`),
      (answer) => ['redis', 'process'].includes(answer.body.source),
    );
    assert.equal(body.eventCount, 3);
  });

  test('nothing has run out of memory', async () => {
    for (const { Name, State, RestartCount } of (await containers()).values()) {
      assert.equal(State.OOMKilled, false, Name);
      assert.equal(RestartCount, Name.includes('session-processor') ? 1 : 0, Name);
    }
    const shown = await docker.sh("docker stats --no-stream --format '{{.Name}} {{.MemPerc}}'");
    for (const line of shown.trim().split('\n')) {
      assert.ok(Number.parseFloat(line.split(' ')[1]!) < 100, line);
    }
    console.log(await docker.sh("docker stats --no-stream --format '{{.Name}} {{.MemUsage}}'"));
  });

  test('what it knew outlives its containers', bound, async () => {
    const stats = `${GATEWAY}/api/analytics/stats?hours=24`;
    const { totalSessions } = (await get<{ totalSessions: number }>(stats)).body;
    assert.ok(totalSessions > 0);
    await docker.sh('docker-compose down');
    assert.equal(await docker.sh('docker compose ps -aq'), '');
    await docker.sh('docker-compose up -d --wait --wait-timeout 1200');
    await activeWith(3);
    await visit();
    await activeWith(4);
    const now = (await get<{ totalSessions: number }>(stats)).body;
    assert.ok(now.totalSessions >= totalSessions, `${now.totalSessions} of ${totalSessions}`);
  });

  test('docker-compose down -v leaves nothing', bound, async () => {
    await docker.sh('docker-compose down -v');
    const ours = '--filter label=com.docker.compose.project=lull';
    for (const kind of ['ps -a', 'volume ls', 'network ls']) {
      assert.equal(await docker.sh(`docker ${kind} -q ${ours}`), '', kind);
    }
  });
});

/** Those that may be run at any time: what starts and ends everything has its own place. */
function briefBlocks(): string[] {
  const { asWritten, replaced } = readBriefPage();
  return [...asWritten, ...replaced.map(({ here }) => here)].filter(
    (block) => !ENDS.includes(block.trim()) && !block.startsWith('rm '),
  );
}
