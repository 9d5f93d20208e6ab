/** Which view the address names, and going to another without loading the page again. */
import { Observable } from './observable.ts';

export type Route =
  | { readonly view: 'live' | 'explore' | 'system' | 'unknown' }
  | { readonly view: 'session'; readonly sessionId: string }
  | { readonly view: 'user'; readonly userId: string };

export const address = new Observable(currentAddress());

export function routeOf(path: string): Route {
  const [, first = '', second, third] = path.split('/');
  if (path === '/') return { view: 'live' };
  if (third !== undefined) return { view: 'unknown' };
  const id = second === undefined || second === '' ? null : decoded(second);
  if (first === 'sessions' && id !== null) return { view: 'session', sessionId: id };
  if (first === 'users' && id !== null) return { view: 'user', userId: id };
  if ((first === 'explore' || first === 'system') && second === undefined) return { view: first };
  return { view: 'unknown' };
}

export function sessionPath(sessionId: string): string {
  return `/sessions/${encodeURIComponent(sessionId)}`;
}

export function userPath(userId: string): string {
  return `/users/${encodeURIComponent(userId)}`;
}

export function goTo(path: string): void {
  history.pushState(null, '', path);
  window.scrollTo(0, 0);
  address.set(currentAddress());
}

/** The same view under another address: what it shows has one true name. */
export function renameTo(path: string): void {
  history.replaceState(null, '', path);
  address.set(currentAddress());
}

/** Follows links to other views; all others, as to a part of the page, are the browser's. */
export function followLinks(): void {
  window.addEventListener('popstate', () => address.set(currentAddress()));
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest('a');
    if (!link || event.defaultPrevented || event.button !== 0 || link.target !== '') return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.hash !== '' || link.origin !== location.origin) return;
    if (routeOf(link.pathname).view === 'unknown') return;
    event.preventDefault();
    goTo(link.pathname + link.search);
  });
}

function currentAddress(): string {
  return typeof location === 'undefined' ? '/' : location.pathname + location.search;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
