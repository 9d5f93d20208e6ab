/**
 * Ends a file of tests that something still holds open half a minute after its last test, and
 * fails it, saying what holds it. The runner alone would wait without end, and say nothing.
 */
import { after } from 'node:test';

const PATIENCE_MS = 30_000;

// The runner's own process loads this too; it has no tests of its own.
if (process.env.NODE_TEST_CONTEXT !== undefined)
  after(() => void setTimeout(end, PATIENCE_MS).unref());

function end(): void {
  const held = process.getActiveResourcesInfo().join(', ');
  console.error(`not ended: ${process.argv[1]} is held open by ${held}`);
  process.exit(1);
}
