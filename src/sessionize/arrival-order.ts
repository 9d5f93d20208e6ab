/** Events in the order of their rows, as a session-processor would treat them on arrival. */
import type { Run, Totals } from './sessionize.ts';
export async function inArrivalOrder(run: Run): Promise<Totals> {
  void run;
  throw new Error('later');
}
