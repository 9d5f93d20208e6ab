/** What a process and its children have used so far, from /proc. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  /** Most memory resident at any time, by process, added. */
  readonly peakBytes: number;
}

const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

export function usageOf(pid: number): Usage {
  const all = [pid, ...childrenOf(pid)].map(usageOfOne);
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    peakBytes: all.reduce((sum, { peakBytes }) => sum + peakBytes, 0),
  };
}

function usageOfOne(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold anything; after it come state, parent, ...
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Of itself (utime, stime), and of children that have ended (cutime, cstime).
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return { cpuSeconds: ticks / TICKS_A_SECOND, peakBytes: Number(peak?.[1] ?? 0) * 1024 };
}

function childrenOf(pid: number): number[] {
  const own = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' '),
  );
  const pids = own.filter((text) => text !== '').map(Number);
  return pids.flatMap((child) => [child, ...childrenOf(child)]);
}
