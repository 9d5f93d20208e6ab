/** What a command is made of: the settings it goes by, its own options, and what it does. */
import type { Flags, LoadedConfig, SettingName } from '../config.ts';

export interface CommandOption {
  /** As commander has it: `--out <file>`, `--follow`. */
  readonly flags: string;
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
  /** The command's own options, by camelCase name; settings are in `loaded`. */
  readonly flags: Flags;
}
