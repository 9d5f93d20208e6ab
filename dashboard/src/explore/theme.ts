/** Says when the page turns dark or light, for what is drawn and not styled. */
import { useEffect, useState } from 'preact/hooks';

export function useThemeTurn(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const change = () => setTurn((last) => last + 1);
    dark.addEventListener('change', change);
    return () => dark.removeEventListener('change', change);
  }, []);
  return turn;
}
