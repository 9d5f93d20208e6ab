/** A list that stands still while somebody reads it, and counts what would have changed. */
import { useRef, useState } from 'preact/hooks';
import type { Session } from '../api-types.ts';

export interface StillList {
  readonly rows: readonly StillRow[];
  readonly isStill: boolean;
  /** Held by the button, not by the pointer or the focus. */
  readonly isPinned: boolean;
  readonly arrived: number;
  readonly gone: number;
  readonly togglePinned: () => void;
  /** Handlers of the element that holds the list. */
  readonly hold: {
    onPointerEnter: (event: PointerEvent) => void;
    onPointerLeave: () => void;
    onFocusIn: (event: FocusEvent) => void;
    onFocusOut: () => void;
  };
}

export interface StillRow {
  readonly session: Session;
  /** It is live no longer, or fits no longer, and is shown only because the list stands still. */
  readonly hasGone: boolean;
}

/** `basis` says what the list is of: when that changes, the list is a new one. */
export function useStillList(shown: readonly Session[], basis: string): StillList {
  const [isPointed, setPointed] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const [isPinned, setPinned] = useState(false);
  const held = useRef<{ basis: string; sessions: readonly Session[] } | null>(null);
  const isStill = isPointed || isFocused || isPinned;
  if (!isStill) held.current = null;
  else if (held.current?.basis !== basis) held.current = { basis, sessions: shown };

  const frozen = held.current?.sessions ?? shown;
  const now = new Map(shown.map((session) => [session.sessionId, session]));
  const rows = frozen.map((session) => {
    const newest = now.get(session.sessionId);
    return { session: newest ?? session, hasGone: newest === undefined };
  });
  const gone = rows.filter(({ hasGone }) => hasGone).length;
  return {
    rows,
    isStill,
    isPinned,
    gone,
    arrived: shown.length - (rows.length - gone),
    togglePinned: () => setPinned(!isPinned),
    hold: {
      // A finger has no pointer that rests: it would hold the list after every tap.
      onPointerEnter: (event) => setPointed(event.pointerType === 'mouse'),
      onPointerLeave: () => setPointed(false),
      // Only when the keyboard brought it there: a click's focus would hold the list too.
      onFocusIn: (event) => setFocused((event.target as Element).matches(':focus-visible')),
      onFocusOut: () => setFocused(false),
    },
  };
}
