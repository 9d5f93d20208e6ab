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

/** A command to copy, in the form that a shell on any Unix takes. */
export function curlLine(
  url: string,
  options: { needsToken: boolean; method?: string; json?: string; streams?: boolean },
): string {
  const parts = ['curl'];
  if (options.streams) parts.push('-N');
  if (options.method !== undefined && options.method !== 'GET' && options.method !== 'POST') {
    parts.push('-X', options.method);
  }
  if (options.needsToken) parts.push('-H "Authorization: Bearer $LULL_TOKEN"');
  if (options.json !== undefined) {
    parts.push(
      "-H 'Content-Type: application/json'",
      `-d '${options.json.replaceAll("'", "'\\''")}'`,
    );
  }
  return [...parts, `'${url}'`].join(' ');
}
