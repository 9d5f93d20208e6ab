/** The frame around every view: where one can go, how the connection is, the token. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { tokenNeed } from './connection.ts';
import { LiveView } from './live/live-view.tsx';
import { useObservable } from './observable.ts';
import { Finder } from './parts/finder.tsx';
import { Later } from './parts/later.tsx';
import { Notices, TokenForm } from './parts/notices.tsx';
import { address, type Route, routeOf } from './route.ts';
import { SessionView } from './session/session-view.tsx';
import { UserView } from './user/user-view.tsx';

const PLACES = [
  ['/', 'Live', 'live'],
  ['/explore', 'Explore', 'explore'],
  ['/system', 'System', 'system'],
] as const;

export function App() {
  const { pathname } = new URL(useObservable(address), 'http://here');
  const need = useObservable(tokenNeed);
  const route = routeOf(pathname);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="masthead">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="24" height="24" />
          Lull
        </a>
        <nav aria-label="Views">
          <ul>
            {PLACES.map(([path, name, view]) => (
              <li key={path}>
                <a href={path} aria-current={route.view === view ? 'page' : undefined}>
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <Finder />
      </header>
      <Notices />
      <Main path={pathname}>{need === 'none' ? viewOf(route) : <TokenForm need={need} />}</Main>
    </div>
  );
}

/** Takes the focus when the view changes, so that the keyboard and readers are where the eye is. */
function Main({ path, children }: { path: string; children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current !== path) main.current?.focus({ preventScroll: true });
    shown.current = path;
  }, [path]);
  return (
    <main id="main" ref={main} tabIndex={-1}>
      {children}
    </main>
  );
}

function viewOf(route: Route) {
  switch (route.view) {
    case 'live':
      return <LiveView />;
    case 'session':
      return <SessionView key={route.sessionId} sessionId={route.sessionId} />;
    case 'user':
      return <UserView key={route.userId} userId={route.userId} />;
    case 'explore':
      return <Later load={async () => (await import('./explore/explore-view.tsx')).ExploreView} />;
    case 'system':
      return <Later load={async () => (await import('./system/system-view.tsx')).SystemView} />;
    case 'unknown':
      return (
        <section class="state">
          <h1>There is nothing here</h1>
          <p>
            The address is none of the dashboard's. <a href="/">See what is live</a>.
          </p>
        </section>
      );
  }
}
