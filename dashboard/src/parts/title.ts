/** The name of the view in the browser's tab. */
import { useEffect } from 'preact/hooks';

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Lull`;
  }, [title]);
}
