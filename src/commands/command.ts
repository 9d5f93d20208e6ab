/** What a command is made of: the settings it goes by, its own options, and what it does. */
import { type Flags, flagKey, type LoadedConfig, type SettingName } from '../config.ts';
import { LullError } from '../errors.ts';
import type { Kind } from '../setting.ts';

/** What only one command takes, unlike a setting. */
export interface CommandOption<Value = unknown> {
  readonly flag: string;
  readonly kind: Kind<Value>;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  /** One line for `lull --help`. */
  readonly summary: string;
  /** As commander has it: `<file...>`. */
  readonly arguments?: string;
  readonly settings: readonly SettingName[];
  /** Defaults of settings that differ in this command. */
  readonly defaults?: Partial<Record<SettingName, string>>;
  readonly options?: readonly CommandOption[];
  /** Printed after the options. */
  readonly notes?: string;
  /** Resolves with the exit status. What it needs is imported here, not before. */
  readonly run: (call: CommandCall) => Promise<number>;
}

export interface CommandCall {
  readonly loaded: LoadedConfig;
  readonly arguments: readonly string[];
  /** All flags as given; settings are in `loaded`, own options are read by `optionValue`. */
  readonly flags: Flags;
}

/** The value of a command's own option; undefined when it isn't given. Throws `wrong_usage`. */
export function optionValue<Value>(
  { flags }: CommandCall,
  { flag, kind }: CommandOption<Value>,
): Value | undefined {
  const text = flags[flagKey(flag)];
  if (text === undefined) return undefined;
  const value = kind.parse(String(text));
  if (value !== undefined) return value;
  throw new LullError('wrong_usage', `${flag} ${text}: must be ${kind.wanted}`);
}
