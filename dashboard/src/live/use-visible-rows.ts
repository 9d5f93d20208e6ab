/** Which rows of a long list are within sight; the page itself scrolls, not the list. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows kept above and below those in sight: the keyboard goes on to them. */
const BEYOND = 10;
const ROW_PX = 44;
const NARROW_ROW_PX = 68;
/** The same as in the style sheet. */
const NARROW = '(max-width: 719px)';

export function useVisibleRows(count: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, last: 30 });
  const narrow = useRef(matchMedia(NARROW)).current;
  const [rowHeight, setRowHeight] = useState(narrow.matches ? NARROW_ROW_PX : ROW_PX);

  useEffect(() => {
    const change = () => setRowHeight(narrow.matches ? NARROW_ROW_PX : ROW_PX);
    narrow.addEventListener('change', change);
    return () => narrow.removeEventListener('change', change);
  }, [narrow]);

  useLayoutEffect(() => {
    const look = () => {
      const { top } = ref.current!.getBoundingClientRect();
      const above = Math.floor(-top / rowHeight) - BEYOND;
      const first = Math.max(0, Math.min(above, count - 1));
      const last = Math.max(0, Math.ceil((innerHeight - top) / rowHeight) + BEYOND);
      setRange((now) => (now.first === first && now.last === last ? now : { first, last }));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [count, rowHeight]);
  return { ref, rowHeight, first: range.first, last: Math.min(range.last, count) };
}
