/** The frame that pages share, and text made safe for HTML. */

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text with `code` in it, as in the API's description. */
export function proseHtml(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

/** A whole page; `body` is HTML already. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** Stands for the present in a line's JSON; the shell puts it in. */
const NOW = '$NOW';

/** An event to send, dated now. */
export const EVENT_JSON = `{"userId":"me","eventType":"PAGE_VIEW","timestamp":"${NOW}","page":"/"}`;

/** A command to copy, in the form that a shell on any Unix takes. */
export function curlLine(
  url: string,
  options: { needsToken: boolean; method?: string; json?: string; streams?: boolean },
): string {
  const { needsToken, method = 'GET', json, streams } = options;
  const parts = ['curl', `'${url}'`];
  if (streams) parts.push('-N');
  if (method !== 'GET' && method !== 'POST') parts.push('-X', method);
  if (needsToken) parts.push('-H "Authorization: Bearer $LULL_TOKEN"');
  if (json !== undefined) parts.push(`-d '${json.replace(NOW, `'"$(date -u +%FT%TZ)"'`)}'`);
  return parts.join(' ');
}
