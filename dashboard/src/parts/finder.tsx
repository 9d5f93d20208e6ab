/** Goes to a user or a session by its id. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { goTo, sessionPath, userPath } from '../route.ts';

/** Session ids are 16 bytes in hex; anything else is taken for a user. */
const SESSION_ID = /^[0-9a-f]{32}$/;

export function Finder() {
  const input = useRef<HTMLInputElement>(null);
  const [value, setValue] = useState('');
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', focus);
    return () => document.removeEventListener('keydown', focus);
  }, []);
  return (
    <form
      class="finder"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const id = value.trim();
        if (id === '') return;
        setValue('');
        input.current?.blur();
        goTo(SESSION_ID.test(id) ? sessionPath(id) : userPath(id));
      }}
    >
      <input
        ref={input}
        type="search"
        aria-label="Find a user or a session by its id"
        placeholder="Find by id"
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
      <kbd>Ctrl K</kbd>
    </form>
  );
}
