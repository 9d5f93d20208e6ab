/** What is wrong around all views: no connection, old data, no token. */
import { useState } from 'preact/hooks';
import { connection, giveToken, type TokenNeed } from '../connection.ts';
import { formatClock } from '../format.ts';
import { useObservable } from '../observable.ts';
import { staleThings } from '../stale.ts';

export function Notices() {
  const { isLost, heardMs } = useObservable(connection);
  const stale = useObservable(staleThings);
  // Some of what is shown may have been old already when the connection was lost.
  const oldestMs = heardMs && Math.min(heardMs, ...stale.map(({ asOfMs }) => asOfMs));
  return (
    <div role="status" class="notices">
      {isLost ? (
        <p class="notice">
          <strong>No connection.</strong>{' '}
          {oldestMs === null
            ? 'Lull does not answer; trying again.'
            : `You see what was there at ${formatClock(oldestMs)}; trying again.`}
        </p>
      ) : (
        stale.map(({ what, asOfMs, why }) => (
          <p key={`${what} ${why}`} class="notice">
            {what} is shown as of {formatClock(asOfMs)}, because {why}; trying again.
          </p>
        ))
      )}
    </div>
  );
}

export function TokenForm({ need }: { need: TokenNeed }) {
  const [value, setValue] = useState('');
  return (
    <form
      class="state token"
      onSubmit={(event) => {
        event.preventDefault();
        if (value !== '') giveToken(value);
      }}
    >
      <h1>A token is needed</h1>
      <p>
        This Lull answers only to those who send its token (<code>LULL_TOKEN</code>). It is kept in
        this tab until you close it.
      </p>
      <label>
        Token
        <input
          type="password"
          autoComplete="off"
          value={value}
          aria-describedby={need === 'refused' ? 'token-refused' : undefined}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      {need === 'refused' && (
        <p id="token-refused" role="alert" class="wrong">
          The token was refused. Look for a letter too many or too few.
        </p>
      )}
      <button type="submit" class="primary">
        Continue
      </button>
    </form>
  );
}
