/** The design's rules that no compiler or linter checks: each finds its breaches in one file. */
import { dirname, join, normalize } from 'node:path/posix';

export interface Rule {
  readonly name: string;
  /** Whether the rule is about this file; paths are relative to the project, with `/`. */
  readonly covers: (path: string) => boolean;
  /** What breaks the rule, in words. */
  readonly breaches: (path: string, text: string) => string[];
}

/** A part of src and what it may import: a row of the design's table. */
interface Zone {
  readonly files: RegExp;
  readonly mayImport: readonly RegExp[];
}

const CORE = /^src\/core\//;
const ERRORS = /^src\/errors\.ts$/;
const OPS = /^src\/ops\//;
const INTERFACES = /^src\/(log\/log|state\/state|state\/query|live\/live|history\/history)\.ts$/;
const SETTINGS = /^src\/(config|setting)\.ts$/;
const HTTP = /^src\/http\//;
const WEB = /^(fastify|typebox|@fastify\/)/;
const KAFKA = /^src\/kafka\//;
const NODE = /^node:/;
/** It knows the system by its API alone. */
const DASHBOARD = /^dashboard\/src\//;
const ANYTHING = /^/;

/** The first zone that a file is in counts. */
const ZONES: readonly Zone[] = [
  { files: CORE, mayImport: [CORE] },
  { files: /^src\/index\.ts$/, mayImport: [CORE] },
  { files: ERRORS, mayImport: [] },
  { files: INTERFACES, mayImport: [CORE, INTERFACES] },
  {
    files: KAFKA,
    mayImport: [
      ...[KAFKA, OPS, ERRORS, NODE, /^src\/core\/hash\.ts$/],
      /^(@platformatic\/kafka|@node-rs\/crc32)$/,
    ],
  },
  implementations('log', /^@node-rs\/crc32$/, KAFKA),
  implementations('state', /^rocksdb-native$/, KAFKA),
  implementations('live', /^redis$/),
  implementations('history', /^(@electric-sql\/pglite(\/\w+)?|pg)$/),
  { files: HTTP, mayImport: [HTTP, INTERFACES, CORE, OPS, ERRORS, NODE, WEB] },
  service('event-producer'),
  service('session-processor'),
  service('session-analytics'),
  service('api-gateway'),
  {
    files: OPS,
    mayImport: [OPS, INTERFACES, CORE, ERRORS, NODE, /^(pino|@prometheus-io\/client)$/],
  },
  { files: SETTINGS, mayImport: [SETTINGS, CORE, ERRORS, OPS] },
  {
    files: /^src\/sessionize\//,
    mayImport: [/^src\/sessionize\//, CORE, INTERFACES, OPS, ERRORS, NODE],
  },
  { files: /^src\/load-test\//, mayImport: [/^src\/load-test\//, OPS, ERRORS, NODE] },
  {
    files: /^src\/(main\.ts|commands\/)/,
    mayImport: [
      /^src\/(commands|modes|sessionize|load-test|services\/event-producer)\//,
      ...[SETTINGS, CORE, OPS, ERRORS, NODE],
      /^commander$/,
    ],
  },
  { files: /^src\/modes\//, mayImport: [ANYTHING] },
  { files: DASHBOARD, mayImport: [DASHBOARD, /^(preact(\/hooks)?|uplot(\/.+\.css)?)$/] },
];

function implementations(folder: string, ...drivers: RegExp[]): Zone {
  const own = new RegExp(`^src/${folder}/`);
  return { files: own, mayImport: [own, INTERFACES, CORE, OPS, ERRORS, NODE, ...drivers] };
}

function service(name: string): Zone {
  const own = new RegExp(`^src/services/${name}/`);
  return { files: own, mayImport: [own, HTTP, INTERFACES, CORE, OPS, ERRORS, NODE, WEB] };
}

const isTest = (path: string) => /\.(test|contract)\.ts$/.test(path);
const isSource = (path: string) => /^(src|dashboard\/src)\/.*\.tsx?$/.test(path) && !isTest(path);
const isCode = (path: string) => /\.(tsx?|js)$/.test(path);
/** This file and its test hold every breach as a pattern or a plant. */
const isText = (path: string) =>
  !/^test\/(tidy\.test|support\/tidy-rules)\.ts$/.test(path) && !path.endsWith('.gz');

export const RULES: readonly Rule[] = [
  {
    name: 'imports follow the design',
    covers: isSource,
    breaches: (path, text) => {
      const zone = ZONES.find(({ files }) => files.test(path));
      if (zone === undefined) return ['lies in no folder of the design'];
      const targets = importsOf(path, text);
      const wrong = targets.filter((target) => !zone.mayImport.some((may) => may.test(target)));
      return wrong.map((target) => `may not import ${target}`);
    },
  },
  {
    name: 'the core has no clock, no randomness and no I/O',
    covers: (path) => CORE.test(path) && isSource(path),
    breaches: (_, text) =>
      found(
        /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\s*\)|\bprocess\.|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bcrypto\b|\bconsole\b/g,
        code(text),
      ),
  },
  {
    name: 'a file begins with one sentence that says what it is for',
    covers: (path) => isCode(path) || path.endsWith('.sql'),
    breaches: (path, text) => {
      const [head = ''] = text.replace(/^#!.*\n/, '').split('\n\n', 1);
      const form = path.endsWith('.sql') ? /^-- \S/ : /^\/\*\*?\s+(\* )?\S.*?[.:;].*?\*\//s;
      return form.test(head) ? [] : ['no sentence at the top'];
    },
  },
  {
    name: 'a file is named after one noun',
    covers: isCode,
    breaches: (path) => found(/\b(utils?|helpers?|common|misc|shared)\b/gi, path),
  },
  {
    name: 'comments keep to 100 columns',
    covers: isCode,
    breaches: (_, text) =>
      found(/^[ \t]*(\/\/|\/?\*).*$/gm, text).filter((line) => line.length > 100),
  },
  {
    name: 'no work is left for later in comments',
    covers: isText,
    breaches: (_, text) => found(/\b(TODO|FIXME|HACK)\b/g, text),
  },
  {
    // But for the folder of Kafka Streams, which is the same on all of them.
    name: 'no path of one machine',
    covers: isText,
    breaches: (_, text) =>
      found(/(?<=^|[\s"'`(=:])\/(work|root|home|Users|tmp)\/(?!kafka-streams\b)[\w.-]+/gm, text),
  },
  {
    name: 'no host of a package registry',
    covers: isText,
    breaches: (_, text) =>
      found(
        /\/\/[\w.-]*\b(registry|npmjs|npmmirror|yarnpkg|mirrors?|artifactory)\b[\w.-]*/gi,
        text,
      ),
  },
];

/** What a file imports: packages by name, files by their path in the project. */
export function importsOf(path: string, text: string): string[] {
  const names = code(text).matchAll(/\b(?:from|import)\s*\(?\s*['"]([\w.@][^'"\s]*)['"]/g);
  return [...names].map(([, name = '']) =>
    name.startsWith('.') ? normalize(join(dirname(path), name)) : name,
  );
}

/** The text without its comments. */
function code(text: string): string {
  return text.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function found(pattern: RegExp, text: string): string[] {
  return [...text.matchAll(pattern)].map(([match]) => match);
}
