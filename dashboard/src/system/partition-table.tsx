/** Each partition of the log: where it stands, how its clock is, what waits. */
import { formatCount, formatDuration, formatKnown, formatTime, NONE } from '../format.ts';
import type { SystemNow } from './use-system.ts';

export function PartitionTable({ system }: { system: SystemNow }) {
  const nowMs = Date.parse(system.now);
  return (
    <section class="panel">
      <h2 id="partitions">Partitions</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls: the keyboard must reach it */}
      <div class="scroll-x" role="region" aria-labelledby="partitions" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col" class="left">
                State
              </th>
              <th scope="col">Events</th>
              <th scope="col">Lag</th>
              <th scope="col">Event clock</th>
              <th scope="col">Sending clock</th>
              <th scope="col">Users in memory</th>
            </tr>
          </thead>
          <tbody>
            {system.partitions.map((one) => (
              <tr key={one.partition}>
                <td>{one.partition}</td>
                <td class="left">
                  {one.state === null ? (
                    <span class="soft">not asked</span>
                  ) : (
                    <span class={`tag ${one.state === 'running' ? 'accent' : 'wrong'}`}>
                      {one.state}
                    </span>
                  )}{' '}
                  {one.reason}
                </td>
                <td>{formatCount(one.endOffset)}</td>
                <td>{formatKnown(one.lag)}</td>
                <Clock time={one.clock} nowMs={nowMs} />
                <Clock time={one.sendingClock} nowMs={nowMs} />
                <td>{formatKnown(one.usersInMemory)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Clock({ time, nowMs }: { time: string | null; nowMs: number }) {
  if (time === null) return <td>{NONE}</td>;
  const behind = (nowMs - Date.parse(time)) / 1000;
  const text = behind < 1 ? 'now' : `${formatDuration(Math.floor(behind))} ago`;
  return <td title={formatTime(time)}>{text}</td>;
}
