/** Test report in few lines: a line a test, failures in full, skips with reasons, totals last. */
import { relative } from 'node:path';
import type { EventData } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) yield lineOf(event);
}

function lineOf(event: TestEvent): string {
  switch (event.type) {
    case 'test:pass': {
      const { skip, name, nesting } = event.data;
      if (skip) return `skipped  ${name}${typeof skip === 'string' ? `: ${skip}` : ''}\n`;
      return nesting === 0 ? `ok       ${name}\n` : '';
    }
    case 'test:fail':
      return failure(event.data);
    case 'test:stdout':
    case 'test:stderr':
      return event.data.message;
    case 'test:diagnostic':
      // Of the runner itself: `tests 12`, `pass 12`, `fail 0`; of a test: its seed, say.
      return `# ${event.data.message}\n`;
    default:
      return '';
  }
}

function failure({ name, file, line, details, todo }: EventData.TestFail): string {
  const place = file === undefined ? '' : ` (${relative(process.cwd(), file)}:${line ?? 1})`;
  const error = details.error as Error & { failureType?: string };
  const head = `${todo ? 'todo     ' : 'not ok   '}${name}${place}\n`;
  // A suite fails because of its tests, which have been reported.
  if (error.failureType === 'subtestsFailed') return head;
  const cause = (error.cause ?? error) as Error & { code?: string };
  // An assertion's message shows the difference already; its fields would repeat both sides.
  const text = cause.code === 'ERR_ASSERTION' ? cause.stack! : inspect(cause);
  return `${head}${indented(text)}\n`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

// biome-ignore lint/style/noDefaultExport: the runner takes a reporter from there only
export { report as default };
