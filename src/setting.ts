/** A setting and the kinds of value it may have: how each is written, read and asked for. */
import { parseDuration } from './core/definition.ts';
import { parseTime } from './core/time.ts';

export interface Kind<Value> {
  /** In --help: `--gap <duration>`; empty for what is on or off. */
  readonly placeholder: string;
  /** In messages: "must be …". */
  readonly wanted: string;
  /** undefined when the text is not of this kind. */
  readonly parse: (text: string) => Value | undefined;
}

export interface Setting<Value = unknown> {
  readonly kind: Kind<Value>;
  readonly flag: string;
  readonly env: string;
  /** As a person would write it; null when there is none, and then the value is null. */
  readonly default: string | null;
  readonly help: string;
  /** Never shown. */
  readonly secret?: boolean;
}

export function text(placeholder: string): Kind<string> {
  return {
    placeholder,
    wanted: 'a text of 1 to 4096 characters',
    parse: (given) => (given.length >= 1 && given.length <= 4096 ? given : undefined),
  };
}

export function whole(least: number, most: number): Kind<number> {
  return {
    placeholder: 'number',
    wanted: `a whole number from ${least} to ${most}`,
    parse: (given) => within(/^\d{1,16}$/, given, least, most),
  };
}

export function decimal(least: number, most: number): Kind<number> {
  return {
    placeholder: 'number',
    wanted: `a number from ${least} to ${most}`,
    parse: (given) => within(/^\d{1,16}(\.\d{1,9})?$/, given, least, most),
  };
}

function within(form: RegExp, given: string, least: number, most: number): number | undefined {
  const value = form.test(given) ? Number(given) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** Read as milliseconds. */
export function duration(): Kind<number> {
  return {
    placeholder: 'duration',
    wanted: 'a duration such as 250ms, 90s, 5m, 24h or 30d',
    parse: (given) => parseDuration(given) ?? undefined,
  };
}

/** Read as epoch milliseconds. */
export function time(): Kind<number> {
  return {
    placeholder: 'time',
    wanted: 'a time such as 2026-11-23T10:00:00Z',
    parse: (given) => parseTime(/^\d+$/.test(given) ? Number(given) : given) ?? undefined,
  };
}

const BYTES = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Read as bytes. */
export function size(): Kind<number> {
  return {
    placeholder: 'size',
    wanted: 'a size such as 500MB or 2GB',
    parse: (given) => {
      const match = /^(\d{1,6})(B|KB|MB|GB|TB)$/i.exec(given);
      if (match === null) return undefined;
      return Number(match[1]) * BYTES[match[2]!.toUpperCase() as keyof typeof BYTES];
    },
  };
}

export function choice<const Name extends string>(
  names: readonly Name[],
  placeholder = names.join('|'),
): Kind<Name> {
  return {
    placeholder,
    wanted: `one of ${names.join(', ')}`,
    parse: (given) => names.find((name) => name === given),
  };
}

export function onOff(): Kind<boolean> {
  return {
    placeholder: '',
    wanted: 'true or false',
    parse: (given) => (given === 'true' ? true : given === 'false' ? false : undefined),
  };
}

/** Separated by commas; an empty text is an empty list. */
export function listOf<Value>(kind: Kind<Value>): Kind<readonly Value[]> {
  return {
    placeholder: `${kind.placeholder},…`,
    wanted: `a list, separated by commas, each ${kind.wanted}`,
    parse: (given) => {
      const values = given === '' ? [] : given.split(',').map((part) => kind.parse(part.trim()));
      return values.includes(undefined) ? undefined : Object.freeze(values as Value[]);
    },
  };
}

export function setting<Value>(
  kind: Kind<Value>,
  about: Omit<Setting, 'kind' | 'default'> & { readonly default: string },
): Setting<Value>;
export function setting<Value>(
  kind: Kind<Value>,
  about: Omit<Setting, 'kind' | 'default'> & { readonly default: null },
): Setting<Value | null>;
export function setting<Value>(kind: Kind<Value>, about: Omit<Setting, 'kind'>): Setting<Value> {
  return { kind, ...about };
}
