/** Runs the traces, row by row, through the core in each of its settings and the naive model. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sessionIdOf } from '../../src/core/hash.ts';
import { LOG_ID, MACHINES, type Machine, type Sent } from './machines.ts';
import { clockText, readTraces, type Trace } from './traces.ts';

const FILES = ['joining.md', 'lateness.md', 'bounds.md', 'clocks.md'];

for (const file of FILES) {
  const traces = readTraces(file);
  describe(file, () => {
    for (const trace of traces) {
      for (const [machineName, machineOf] of Object.entries(MACHINES)) {
        test(`${trace.name}: ${machineName}`, () => follow(trace, machineOf(trace.definition)));
      }
    }
  });
}

function follow(trace: Trace, machine: Machine): void {
  assert.ok(trace.rows.length > 0, 'a trace without rows');
  const names = new Map(
    trace.rows.map((row, offset) => [sessionIdOf(LOG_ID, 0, offset), row.id] as const),
  );
  let given = 0;
  for (const row of trace.rows) {
    const where = `line ${row.line}, ${row.id}`;
    if (row.placed !== null) assert.equal(machine.apply(row.placed), row.fate, where);
    else if (row.step === 'silence') machine.silence(row.untilMs);
    else machine.restart();
    const sent = machine.sent().slice(given);
    given += sent.length;
    assert.deepEqual(sent.map((each) => told(each, names)).sort(), row.sent, where);
  }
}

/** `a closed r1 5m 0:00:00-0:30:00 x2 …`, as the tables have it. */
function told(sent: Sent, names: ReadonlyMap<string, string>): string {
  const name = names.get(sent.sessionId);
  if (sent.state === 'merged') {
    return `${name} merged r${sent.revision} into ${names.get(sent.mergedInto)}`;
  }
  const { startTime, endTime, closeReason, previousSessionId } = sent;
  const words = [name, sent.state, `r${sent.revision}`];
  if (sent.tier !== null) words.push(sent.tier);
  words.push(`${clockText(Date.parse(startTime))}-${clockText(Date.parse(endTime))}`);
  words.push(`x${sent.eventCount}`);
  if (sent.lateCount > 0) words.push(`late${sent.lateCount}`);
  if (sent.duplicateCount > 0) words.push(`duplicates${sent.duplicateCount}`);
  if (sent.endOvertakenCount > 0) words.push(`overtaken${sent.endOvertakenCount}`);
  if (closeReason !== null && closeReason !== 'inactivity') words.push(closeReason);
  if (previousSessionId !== null) words.push(`after ${names.get(previousSessionId)}`);
  return words.join(' ');
}
