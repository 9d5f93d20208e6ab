/** What is written down says what the code says: settings, errors, the dashboard's types. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SETTING_NAMES, settingOf } from '../src/config.ts';
import { ERRORS } from '../src/errors.ts';
import { apiTypes, type OpenApi } from './support/api-types.ts';
import { openGateway } from './support/open-gateway.ts';

test('docs/configuration.md lists every setting', (t) => {
  // After an intended change: node --test --test-update-snapshots test/docs.test.ts
  t.assert.fileSnapshot(configurationPage(), 'docs/configuration.md', {
    serializers: [(text) => text],
  });
});

test('docs/errors.md lists every error, in order, with its status and what to do', () => {
  const rows = readFileSync('docs/errors.md', 'utf8').matchAll(
    /^\| `(\w+)` \| (\d{3}) \| (.{10,}) \| (.+) \|$/gm,
  );
  const documented = [...rows].map(([, code, status, , hint]) => `${code} ${status} ${hint}`);
  const declared = Object.entries(ERRORS).map(
    ([code, { status, hint }]) => `${code} ${status} ${hint}`,
  );
  assert.deepEqual(
    documented,
    declared,
    'docs/errors.md and src/errors.ts differ: a row each, in the same order',
  );
});

test("the dashboard's types are those of the API", async (t) => {
  // After an intended change: node --test --test-update-snapshots test/docs.test.ts
  const gateway = await openGateway({
    rate: { get: () => 4, set: () => null },
    query: { sessionsOf: async () => null, waitVisible: async () => 'published' },
  });
  t.after(() => gateway.close());
  const document = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as OpenApi;
  t.assert.fileSnapshot(apiTypes(document), 'dashboard/src/api-types.ts', {
    serializers: [(text) => text],
  });
});

function configurationPage(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { kind, flag, env, help, default: standard } = settingOf(name);
    const value = kind.placeholder.replaceAll('|', ' or ');
    const written =
      value === '' ? `\`${flag}\`, \`${flag.replace('--', '--no-')}\`` : `\`${flag}\` ${value}`;
    return `| ${written} | \`${env}\` | ${standard === null ? '' : `\`${standard}\``} | ${help} |`;
  });
  return `# Settings

Each setting is a flag of the commands that use it, and an environment variable. A flag wins over
the environment, that over the default. \`lull config\` prints what is in force and where it came from.
Durations are an integer and \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; sizes an integer and \`MB\`, \`GB\` or \`TB\`.

| flag | environment | default | what it does |
|---|---|---|---|
${rows.join('\n')}
`;
}
