/** The pages' style: light and dark, no fonts or images from anywhere. */

export const STYLE_SHEET = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1d2430, #e4e8ee);
  --soft: light-dark(#5c6675, #98a2b3);
  --paper: light-dark(#fbfbf9, #14181f);
  --card: light-dark(#ffffff, #1c222c);
  --line: light-dark(#e3e5e8, #2c3442);
  --accent: light-dark(#0b6e5f, #5cc8b4);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 2.25rem; line-height: 1.2; margin: 0; letter-spacing: -0.02em; }
h1 a { color: inherit; text-decoration: none; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
header p { color: var(--soft); margin: 0.5rem 0 0; }
a { color: var(--accent); }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.5rem 0 1rem; }
.notice { color: var(--accent); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr));
  gap: 0.75rem; margin: 2rem 0 0; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.875rem 1rem; display: flex; flex-direction: column-reverse; }
.figures dt { color: var(--soft); font-size: 0.875rem; }
.figures dd { margin: 0; font-size: 1.625rem; font-variant-numeric: tabular-nums; }
.links { list-style: none; padding: 0; margin: 0; display: grid; gap: 0.375rem; }
section { border-top: 1px solid var(--line); padding: 1.25rem 0 0.5rem; }
section p { margin: 0.25rem 0 0.75rem; color: var(--soft); }
table { border-collapse: collapse; width: 100%; margin: 0 0 0.75rem; font-size: 0.9375rem; }
td { padding: 0.25rem 1rem 0.25rem 0; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
td:nth-child(2) { color: var(--soft); white-space: nowrap; }
.answers { list-style: none; padding: 0; margin: 0 0 1rem; color: var(--soft); }
details { border-top: 1px solid var(--line); padding: 0.75rem 0; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 40rem) {
  td, tr { display: block; }
  td:not(:last-child) { border: none; padding-bottom: 0; }
}
`;
