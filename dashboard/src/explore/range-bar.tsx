/** Chooses the span of time: a usual one, or any. */
import { useState } from 'preact/hooks';
import { goTo } from '../route.ts';
import { localInput, MAX_DAYS, RANGES, type Range } from './range.ts';

const DAY_MS = 86_400_000;

export function RangeBar({ range }: { range: Range }) {
  const [isOpen, setOpen] = useState(range.name === 'custom');
  const [from, setFrom] = useState(localInput(range.fromMs));
  const [to, setTo] = useState(localInput(range.toMs));
  const lastsMs = Date.parse(to) - Date.parse(from);
  const wrong = !(lastsMs > 0)
    ? 'The end must be after the start.'
    : lastsMs > MAX_DAYS * DAY_MS
      ? `At most ${MAX_DAYS} days can be shown.`
      : null;
  const choose = () => {
    const asked = new URLSearchParams({
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
    });
    goTo(`/explore?${asked}`);
  };
  return (
    <div class="range">
      <fieldset class="segments">
        <legend class="unseen">The last</legend>
        {RANGES.map(([key, name]) => (
          <button
            key={key}
            type="button"
            aria-pressed={range.name === key && !isOpen}
            onClick={() => {
              setOpen(false);
              goTo(`/explore?range=${key}`);
            }}
          >
            {name}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={isOpen}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          Custom
        </button>
      </fieldset>
      {isOpen && (
        <form
          class="custom"
          onSubmit={(event) => {
            event.preventDefault();
            if (wrong === null) choose();
          }}
        >
          <label>
            From
            <input
              type="datetime-local"
              value={from}
              onInput={(event) => setFrom(event.currentTarget.value)}
            />
          </label>
          <label>
            To
            <input
              type="datetime-local"
              value={to}
              onInput={(event) => setTo(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={wrong !== null}>
            Show
          </button>
          {wrong !== null && <span class="wrong">{wrong}</span>}
        </form>
      )}
    </div>
  );
}
