/** `lull config`: every setting, its value in force, and where that came from. */
import { type Provenance, SETTING_NAMES, settingOf, withoutPassword } from '../config.ts';
import type { Command } from './command.ts';

const FLAG_WIDTH = Math.max(...SETTING_NAMES.map((name) => settingOf(name).flag.length));

export const config: Command = {
  name: 'config',
  summary: 'print every setting, its value in force and where it came from',
  settings: SETTING_NAMES,
  run: async ({ loaded }) => {
    const rows = SETTING_NAMES.map((name) => {
      const { flag, env, secret } = settingOf(name);
      const { origin, text } = loaded.provenance[name];
      const value = !text ? '(none)' : secret ? '(hidden)' : withoutPassword(text);
      return [flag, value, place(origin, env)] as const;
    });
    const width = Math.max(...rows.map(([, value]) => value.length));
    for (const [flag, value, from] of rows) {
      console.log(`${flag.padEnd(FLAG_WIDTH)}  ${value.padEnd(width)}  ${from}`);
    }
    return 0;
  },
};

function place(origin: Provenance['origin'], env: string): string {
  return origin === 'environment' ? `environment ${env}` : origin;
}
