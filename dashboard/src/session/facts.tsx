/** What is known of a session besides its events: where it came from, how it was put together. */
import type { ComponentChildren } from 'preact';
import { get } from '../api.ts';
import type { Session } from '../api-types.ts';
import {
  formatCount,
  formatDuration,
  formatMoney,
  formatTime,
  formatType,
  NONE,
} from '../format.ts';
import { useResource } from '../resource.ts';
import { sessionPath } from '../route.ts';

const REASONS: Readonly<Record<string, string>> = {
  inactivity: 'nobody did anything for longer than the gap',
  max_duration: 'it reached the longest time that a session may last',
  max_events: 'it reached the most events that a session may have',
  explicit: 'an event ended it',
  erased: 'its user was erased',
};

export function Facts({ session }: { session: Session }) {
  const { utm, eventCounts } = session;
  return (
    <div class="facts">
      <Group name="Path">
        <Fact name="Entry page" value={session.entryPage} />
        <Fact name="Exit page" value={session.exitPage} />
        <Fact
          name="Pages"
          value={`${formatCount(session.pageViews)} views of ${formatCount(session.distinctPages)}${session.distinctPagesTruncated ? ' or more' : ''}`}
        />
        <Fact name="Bounced" value={session.bounced ? 'yes: one page and nothing else' : 'no'} />
        <Fact name="Engaged" value={session.engaged ? 'yes' : 'no'} />
      </Group>
      <Group name="Origin">
        <Fact name="Channel" value={session.channel} />
        <Fact name="Referrer" value={session.referrer} />
        <Fact name="Source" value={utm.source} />
        <Fact name="Medium" value={utm.medium} />
        <Fact name="Campaign" value={utm.campaign} />
        <Fact name="Device" value={session.device} />
      </Group>
      <Group name="Events by type">
        {Object.entries(eventCounts)
          .sort(([, left], [, right]) => right - left)
          .map(([type, count]) => (
            <Fact key={type} name={formatType(type)} value={formatCount(count)} />
          ))}
      </Group>
      <Group name="Money">
        <Fact name="Revenue" value={formatMoney(session.revenue)} />
        <Fact name="Put into the cart" value={formatMoney(session.cartValue)} />
        <Fact
          name="First purchase"
          value={session.firstConversionTime && formatTime(session.firstConversionTime)}
        />
      </Group>
      <Made session={session} />
    </div>
  );
}

function Made({ session }: { session: Session }) {
  const { sessionId, closeReason, previousSessionId, firstArrival, lastArrival } = session;
  const path = `${sessionPath(sessionId).replace('/sessions/', '/api/sessions/')}/absorbed`;
  const absorbed = useResource(
    'What this session absorbed',
    `${path} ${session.revision}`,
    (signal) => get('/api/sessions/{sessionId}/absorbed', path, signal),
  );
  const ids = absorbed.data?.items ?? [];
  return (
    <Group name="How it was put together">
      <Fact name="Session id" value={<code>{sessionId}</code>} />
      {closeReason !== null && (
        <Fact name="Closed because" value={REASONS[closeReason] ?? closeReason} />
      )}
      <Fact
        name="Revision"
        value={
          session.revision === 0
            ? 'not sent yet'
            : `sent ${formatCount(session.revision)} ${session.revision === 1 ? 'time' : 'times'}`
        }
      />
      <Fact name="Tier" value={session.tier && `past ${session.tier}`} />
      <Fact name="Late events" value={formatCount(session.lateCount)} />
      <Fact name="Duplicates" value={formatCount(session.duplicateCount)} />
      {session.endOvertakenCount > 0 && (
        <Fact name="Ends overtaken" value={formatCount(session.endOvertakenCount)} />
      )}
      <Fact name="First arrival" value={firstArrival && arrival(firstArrival, session.startTime)} />
      <Fact name="Last arrival" value={lastArrival && formatTime(lastArrival)} />
      {previousSessionId !== null && (
        <Fact
          name="Cut from"
          value={<a href={sessionPath(previousSessionId)}>{previousSessionId.slice(0, 12)}…</a>}
        />
      )}
      <Fact
        name="Absorbed"
        value={
          absorbed.data === null
            ? null
            : ids.length === 0
              ? 'no other session'
              : ids.map((id) => (
                  <code key={id} class="id">
                    {id}
                  </code>
                ))
        }
      />
    </Group>
  );
}

function arrival(arrived: string, happened: string): string {
  const seconds = (Date.parse(arrived) - Date.parse(happened)) / 1000;
  return seconds >= 1
    ? `${formatTime(arrived)}, ${formatDuration(seconds)} after it happened`
    : formatTime(arrived);
}

function Group({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <section>
      <h3>{name}</h3>
      <dl>{children}</dl>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === null || value === '' ? NONE : value}</dd>
    </div>
  );
}
