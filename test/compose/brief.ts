/** The commands of the brief, and those of docs/brief.md. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const BRIEF = join(import.meta.dirname, '../../../shared/brief.md');
const PAGE = join(import.meta.dirname, '../../docs/brief.md');

export interface BriefPage {
  /** Blocks that stand as they are in the brief; a block is typed into one terminal. */
  readonly asWritten: readonly string[];
  readonly replaced: readonly { readonly brief: string; readonly here: string }[];
}

/** Commands and statements of the brief, in its order; null where it isn't there. */
export function briefCommands(): string[] | null {
  if (!existsSync(BRIEF)) return null;
  return blocksOf(readFileSync(BRIEF, 'utf8'), 'bash').flatMap(commandsOf);
}

export function readBriefPage(): BriefPage {
  const page = readFileSync(PAGE, 'utf8');
  const brief = blocksOf(page, 'sh brief');
  const here = blocksOf(page, 'sh here');
  return {
    asWritten: blocksOf(page, 'sh'),
    replaced: brief.map((block, index) => ({ brief: block, here: here[index]! })),
  };
}

/** One command, or SQL statement, each; without comments. */
export function commandsOf(block: string): string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of block.split('\n')) {
    if (open === '' && (line.trim() === '' || line.startsWith('#'))) continue;
    open += `${open === '' ? '' : '\n'}${line}`;
    if (isSql(open) ? !line.trimEnd().endsWith(';') : line.endsWith('\\')) continue;
    commands.push(open);
    open = '';
  }
  return commands;
}

export function isSql(command: string): boolean {
  return command.startsWith('SELECT');
}

function blocksOf(markdown: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...markdown.matchAll(fence)].map(([, block = '']) => block);
}
