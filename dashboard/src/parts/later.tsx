/** A view whose code is loaded only when it is looked at. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Loading, Problem } from './states.tsx';

export function Later({ load }: { load: () => Promise<ComponentType> }) {
  const [View, setView] = useState<ComponentType | null>(null);
  const [hasFailed, setFailed] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    setFailed(false);
    load().then(
      (loaded) => setView(() => loaded),
      () => setFailed(true),
    );
  }, [turn]);
  if (View !== null) return <View />;
  if (!hasFailed) return <Loading />;
  return (
    <Problem
      title="This view could not be loaded"
      message="Lull does not answer, or was updated: reload the page if this stays."
      retry={() => setTurn(turn + 1)}
    />
  );
}
