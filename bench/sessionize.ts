/**
 * `lull sessionize` on a large CSV beside the same sessions from DuckDB with two threads: wall
 * time, CPU time and peak memory, alternating, and their ratios.
 */
import { spawn } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeShopCsv } from './shop-csv.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    users: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '3' },
    'duckdb-threads': { type: 'string', default: '2' },
  },
});

interface Measured {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Runs a TypeScript program in a process of its own. */
function measure(program: string, parameters: readonly string[]): Promise<Measured> {
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    ['--import', pathOf('usage-at-exit.ts'), pathOf(program), ...parameters],
    { stdio: ['ignore', 'inherit', 'ignore', 'pipe'] },
  );
  let usage = '';
  child.stdio[3]!.on('data', (data) => {
    usage += data;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (status) => {
      if (status !== 0) return reject(new Error(`${program} ended with ${status}`));
      resolve({ ...JSON.parse(usage), wallSeconds: (performance.now() - startMs) / 1000 });
    });
  });
}

async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(file)) {
    for (const byte of chunk as Buffer) if (byte === 0x0a) lines++;
  }
  return lines;
}

function told({ wallSeconds, cpuSeconds, peakBytes }: Measured): string {
  const peak = `${Math.round(peakBytes / 1e6)} MB`;
  return `${wallSeconds.toFixed(2)} s wall, ${cpuSeconds.toFixed(2)} s CPU, peak ${peak}`;
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!;
}

const folder = mkdtempSync(join(tmpdir(), 'lull-bench-'));
try {
  const input = join(folder, 'shop.csv');
  const lullOut = join(folder, 'lull.ndjson');
  const duckOut = join(folder, 'duckdb.csv');
  await writeShopCsv(input, Number(values.rows), Number(values.users));
  console.log(`${values.rows} rows of ${values.users} users, ${statSync(input).size / 1e6} MB`);
  const rounds: { lull: Measured; duck: Measured }[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const duck = await measure('peers/duckdb.ts', [input, duckOut, values['duckdb-threads']]);
    console.log(`DuckDB  ${told(duck)}`);
    const lull = await measure('../src/main.ts', ['sessionize', input, '--out', lullOut]);
    console.log(`Lull    ${told(lull)}`);
    rounds.push({ lull, duck });
  }
  const sessions = await countLines(lullOut);
  // DuckDB's file has a header.
  if ((await countLines(duckOut)) - 1 !== sessions) throw new Error('they find other sessions');
  const wall = middle(rounds.map(({ lull, duck }) => lull.wallSeconds / duck.wallSeconds));
  const cpu = middle(rounds.map(({ lull, duck }) => lull.cpuSeconds / duck.cpuSeconds));
  console.log(`${sessions} sessions; wall time ${wall.toFixed(2)}x, CPU time ${cpu.toFixed(2)}x`);
} finally {
  rmSync(folder, { recursive: true });
}
