/** The page at `/docs`: the OpenAPI description as people read it. */
import { curlLine, EVENT_JSON, escapeHtml, htmlPage, proseHtml } from './html.ts';

/** The parts of an OpenAPI document that the page shows. */
interface Described {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly $ref?: string;
  readonly items?: Described;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Described;
  readonly example?: unknown;
}

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, { readonly description?: string }>>;
  readonly security?: readonly unknown[];
}

interface Document {
  readonly info: { readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Described>> };
}

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export function docsPage(openApi: unknown, url: string, needsToken: boolean): string {
  const document = openApi as Document;
  const entries = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const groups = (document.tags ?? []).map(({ name, description = name }) => {
    const own = entries.filter(({ operation }) => operation.tags?.includes(name));
    if (own.length === 0) return '';
    const blocks = own.map((entry) => operationBlock(entry, url, needsToken)).join('\n');
    return `<h2>${escapeHtml(description)}</h2>\n${blocks}`;
  });
  const shapes = Object.entries(document.components?.schemas ?? {})
    .map(([name, schema]) => shapeBlock(name, schema))
    .join('\n');
  return htmlPage(
    'Lull: its requests',
    `<header><h1><a href="/">Lull</a>: its requests</h1>
<p>${escapeHtml(document.info.description ?? '')} The same for programs:
<a href="/openapi.json"><code>/openapi.json</code></a>.</p></header>
${groups.join('\n')}
<h2>Shapes</h2>
${shapes}`,
  );
}

function operationBlock({ method, path, operation }: Entry, url: string, withToken: boolean) {
  const { summary = '', parameters = [], responses = {}, security } = operation;
  const answers = Object.entries(responses).map(([status, { description = '' }]) => {
    return `<li><code>${escapeHtml(status)}</code> ${proseHtml(description)}</li>`;
  });
  const line = exampleOf({ method, path, operation }, url, withToken && security?.length !== 0);
  return `<section>
<h3><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h3>
<p>${escapeHtml(summary)}</p>
${parameters.length === 0 ? '' : table(parameters.map(parameterRow))}
<pre><code>${escapeHtml(line)}</code></pre>
<ul class="answers">${answers.join('')}</ul>
</section>`;
}

function parameterRow({ name, in: place, required, description = '', schema }: Parameter) {
  const fallback = schema?.default === undefined ? '' : ` (default ${schema.default})`;
  const need = required ? 'required' : 'optional';
  return [name, `${place}, ${need}`, `${description}${fallback}`] as const;
}

function shapeBlock(name: string, schema: Described): string {
  const rows = Object.entries(schema.properties ?? {}).map(([field, described]) => {
    const need = schema.required?.includes(field) ? '' : 'optional: ';
    return [field, typeText(described), `${need}${described.description ?? ''}`] as const;
  });
  return `<details><summary>${escapeHtml(name)}</summary>${table(rows)}</details>`;
}

function typeText({ type, $ref, items }: Described): string {
  if ($ref !== undefined) return $ref.slice($ref.lastIndexOf('/') + 1);
  if (items !== undefined) return `array of ${typeText(items)}`;
  return typeof type === 'string' ? type : (type?.join(' or ') ?? '');
}

function table(rows: readonly (readonly [string, string, string])[]): string {
  const body = rows.map(
    ([name, kind, text]) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(kind)}</td>` +
      `<td>${proseHtml(text)}</td></tr>`,
  );
  return `<table>${body.join('')}</table>`;
}

function exampleOf({ method, path, operation }: Entry, url: string, needsToken: boolean): string {
  const asked = operation.parameters ?? [];
  const filled = path.replace(/\{(\w+)\}/g, (_whole, name) => {
    return encodeURIComponent(String(exampleValue(asked.find((one) => one.name === name)) ?? name));
  });
  const query = asked.flatMap((parameter) => {
    const value = parameter.in === 'query' ? exampleValue(parameter) : undefined;
    return value === undefined ? [] : [`${parameter.name}=${encodeURIComponent(String(value))}`];
  });
  const json = BODIES[`${method} ${path}`];
  return curlLine(`${url}${filled}${query.length === 0 ? '' : `?${query.join('&')}`}`, {
    needsToken,
    method: method.toUpperCase(),
    streams: operation.tags?.includes('streams') ?? false,
    ...(json === undefined ? {} : { json }),
  });
}

function exampleValue(parameter: Parameter | undefined): unknown {
  return parameter?.example ?? parameter?.schema?.examples?.[0];
}

const BODIES: Readonly<Record<string, string>> = {
  'post /api/events': EVENT_JSON,
  'put /api/rate': '{"eventsPerSecond":20}',
};
