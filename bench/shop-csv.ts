/** Writes a CSV of shoppers' events, the same for the same arguments: what the benches read. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { seededRandom } from '../test/support/seeded-random.ts';

const START_MS = Date.UTC(2026, 9, 1);
const HEADER = 'user_id,timestamp,event_type,page,device,amount,currency\n';
const DEVICES = ['mobile', 'desktop', 'tablet', 'mobile'];
const FLUSH_CHARS = 1 << 20;

/**
 * `rows` events of `users` users in order of time: visits of about a dozen events some seconds
 * apart, with lulls of hours between them.
 */
export async function writeShopCsv(path: string, rows: number, users: number): Promise<void> {
  const random = seededRandom(20261123);
  const out = createWriteStream(path);
  const calendar = new Map<number, number[]>();
  const schedule = (user: number, second: number) => {
    const due = calendar.get(second);
    if (due === undefined) calendar.set(second, [user]);
    else due.push(user);
  };
  for (let user = 0; user < users; user++) schedule(user, Math.floor(random() * 6 * 3600));
  let text = HEADER;
  for (let second = 0, written = 0; written < rows; second++) {
    const due = calendar.get(second);
    if (due === undefined) continue;
    calendar.delete(second);
    const stamp = new Date(START_MS + second * 1000).toISOString().slice(0, 19).replace('T', ' ');
    for (const user of due) {
      if (written++ === rows) break;
      text += `user-${user},${stamp},${shopEvent(user, random)}\n`;
      const lull = random() < 1 / 12;
      schedule(
        user,
        second + 1 + Math.floor(random() * (lull ? 12 * 3600 : 40)) + (lull ? 1800 : 0),
      );
    }
    if (text.length < FLUSH_CHARS) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'finish');
}

/** Type, page, device, amount and currency of one event. */
function shopEvent(user: number, random: () => number): string {
  const device = DEVICES[user % DEVICES.length]!;
  const product = Math.floor(random() * 5000);
  const dice = random();
  if (dice < 0.7) return `PAGE_VIEW,/products/${product},${device},,`;
  if (dice < 0.85) return `CLICK,/products/${product},${device},,`;
  if (dice < 0.92) return `SEARCH,/search,${device},,`;
  const amount = (product / 50 + 5).toFixed(2);
  if (dice < 0.98) return `ADD_TO_CART,/products/${product},${device},${amount},EUR`;
  return `PURCHASE,/checkout,${device},${amount},EUR`;
}
