/** Whether the server answers, since when it doesn't, and the token that it wants. */
import { Observable } from './observable.ts';

const TOKEN_KEY = 'lull-token';

export interface Connection {
  readonly isLost: boolean;
  /** When it last gave what it was asked for, epoch milliseconds; null before it first did. */
  readonly heardMs: number | null;
}

export type TokenNeed = 'none' | 'missing' | 'refused';

export const connection = new Observable<Connection>({ isLost: false, heardMs: null });
export const tokenNeed = new Observable<TokenNeed>('none');

export function heard(): void {
  connection.set({ isLost: false, heardMs: Date.now() });
}

/** It is there, but does not give what it was asked for. */
export function refused(): void {
  const { isLost, heardMs } = connection.get();
  if (isLost) connection.set({ isLost: false, heardMs });
}

export function lost(): void {
  const { isLost, heardMs } = connection.get();
  if (!isLost) connection.set({ isLost: true, heardMs });
}

/** Kept for this tab alone, and gone with it. */
export function token(): string | null {
  return sessionStorage.getItem(TOKEN_KEY);
}

export function giveToken(value: string): void {
  sessionStorage.setItem(TOKEN_KEY, value);
  tokenNeed.set('none');
}

export function unauthorized(): void {
  tokenNeed.set(token() === null ? 'missing' : 'refused');
}
