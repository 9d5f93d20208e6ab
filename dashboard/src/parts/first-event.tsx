/** How to send the first event: lines to copy, for a shell and for two languages. */
import { useState } from 'preact/hooks';
import { token } from '../connection.ts';

const LANGUAGES = ['curl', 'JavaScript', 'Python'] as const;
type Language = (typeof LANGUAGES)[number];

export function FirstEvent() {
  const [language, setLanguage] = useState<Language>('curl');
  const [said, setSaid] = useState('Copy');
  const code = SNIPPETS[language](location.origin, token() !== null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
      setSaid('Copied');
    } catch {
      setSaid('Select the text and copy it');
    }
  };
  return (
    <div class="snippet">
      <div class="snippet-head">
        <div role="group" aria-label="Language" class="segments">
          {LANGUAGES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === language}
              onClick={() => {
                setLanguage(name);
                setSaid('Copy');
              }}
            >
              {name}
            </button>
          ))}
        </div>
        <button type="button" onClick={copy}>
          <span role="status">{said}</span>
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls: the keyboard must reach it */}
      <pre tabIndex={0} role="region" aria-label={`An event, sent with ${language}`}>
        <code>{code}</code>
      </pre>
    </div>
  );
}

const SNIPPETS: Readonly<Record<Language, (origin: string, needsToken: boolean) => string>> = {
  curl: (origin, needsToken) =>
    [
      `curl '${origin}/api/events'`,
      ...(needsToken ? [`  -H "Authorization: Bearer $LULL_TOKEN"`] : []),
      `  -H 'Content-Type: application/json'`,
      `  -d '{"userId":"me","eventType":"PAGE_VIEW","page":"/","timestamp":"'"$(date -u +%FT%TZ)"'"}'`,
    ].join(' \\\n'),
  JavaScript: (origin, needsToken) => `await fetch('${origin}/api/events', {
  method: 'POST',
  headers: {
    'content-type': 'application/json',${needsToken ? "\n    authorization: 'Bearer ' + process.env.LULL_TOKEN," : ''}
  },
  body: JSON.stringify({
    eventId: crypto.randomUUID(), // sent twice, it counts once
    userId: 'me',
    eventType: 'PAGE_VIEW',
    page: '/',
    timestamp: new Date().toISOString(),
  }),
});`,
  Python: (
    origin,
    needsToken,
  ) => `import json, ${needsToken ? 'os, ' : ''}time, urllib.request, uuid

event = {
    "eventId": str(uuid.uuid4()),  # sent twice, it counts once
    "userId": "me",
    "eventType": "PAGE_VIEW",
    "page": "/",
    "timestamp": int(time.time() * 1000),
}
urllib.request.urlopen(urllib.request.Request(
    "${origin}/api/events",
    data=json.dumps(event).encode(),
    headers={"Content-Type": "application/json"${needsToken ? ', "Authorization": "Bearer " + os.environ["LULL_TOKEN"]' : ''}},
))`,
};
