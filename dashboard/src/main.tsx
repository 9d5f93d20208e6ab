/** Puts the dashboard onto the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { followLinks } from './route.ts';
import './style/base.css';
import './style/parts.css';
import './style/views.css';

followLinks();
render(<App />, document.getElementById('app')!);
