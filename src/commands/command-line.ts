/** The command line: `lull COMMAND`, its help made from the settings, its exit status. */
import { readFileSync } from 'node:fs';
import { CommanderError, Option, Command as Parser } from 'commander';
import { type Flags, loadConfig, type SettingName, settingOf } from '../config.ts';
import { ERRORS, LullError } from '../errors.ts';
import type { Command } from './command.ts';
import { config } from './config.ts';
import { init } from './init.ts';
import { loadTest } from './load-test.ts';
import { run } from './run.ts';
import { sessionize } from './sessionize.ts';
import { simulate } from './simulate.ts';
import { start } from './start.ts';

export const EXIT = { done: 0, failed: 1, wrongUsage: 2 } as const;

const COMMANDS: readonly Command[] = [start, run, init, sessionize, simulate, loadTest, config];

const HELP_WIDTH = 100;

const { version, description } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string; description: string };

/** Runs one command and resolves with the exit status. Never rejects. */
export async function runCommandLine(
  parameters: readonly string[],
  environment?: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  let status: number = EXIT.done;
  const parser = programParser(async (command, given, flags) => {
    const loaded = loadConfig(flags, environment, command.defaults);
    status = await command.run({ loaded, arguments: given, flags });
  });
  try {
    await parser.parseAsync(parameters, { from: 'user' });
    return status;
  } catch (error) {
    return statusOf(error);
  }
}

type Action = (command: Command, given: readonly string[], flags: Flags) => Promise<void>;

function programParser(action: Action): Parser {
  const program = new Parser('lull')
    .description(description)
    .version(version)
    .helpCommand(false)
    .configureOutput({
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      outputError: (text, write) => {
        const line = text
          .trimEnd()
          .replace(/^error: /, 'lull: ')
          .replaceAll('\n', ' ');
        write(`${line}; ${ERRORS.wrong_usage.hint}\n`);
      },
    })
    .exitOverride();
  for (const command of COMMANDS) {
    const parser = program.command(command.name).description(command.summary);
    if (command.arguments !== undefined) parser.arguments(command.arguments);
    for (const { flag, kind, help } of command.options ?? []) {
      parser.option(kind.placeholder === '' ? flag : `${flag} <${kind.placeholder}>`, help);
    }
    for (const name of command.settings) {
      for (const option of settingOptions(name, command)) parser.addOption(option);
    }
    if (command.notes !== undefined) parser.addHelpText('after', `\n${command.notes}`);
    parser.action(() => action(command, parser.args, parser.opts()));
  }
  return program;
}

/** A setting that is on or off has two: `--simulate` and `--no-simulate`. */
function settingOptions(name: SettingName, command: Command): Option[] {
  const { kind, flag, env, help, default: standard } = settingOf(name);
  const value = command.defaults?.[name] ?? standard;
  const about = `${help} [${env}${value === null ? '' : `, default ${value}`}]`;
  if (kind.placeholder !== '') return [new Option(`${flag} <${kind.placeholder}>`, about)];
  return [new Option(flag, about), new Option(flag.replace('--', '--no-'), 'the opposite')];
}

/** Says on standard error what went wrong and what to do, in one line. */
function statusOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version are errors to commander, with status 0; it has said what there is to say.
    return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
  }
  if (error instanceof LullError) {
    console.error(`lull: ${error.message}; ${error.hint}`);
    return error.code === 'wrong_usage' ? EXIT.wrongUsage : EXIT.failed;
  }
  console.error('lull: this should not have happened; please report it with these lines');
  console.error(error);
  return EXIT.failed;
}
