/** Requests to the API: typed by its own description, with the token where one is needed. */
import type { Answers } from './api-types.ts';
import { heard, lost, refused, token, unauthorized } from './connection.ts';

/** What the API says is wrong, or that it can't be reached (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;

  constructor(status: number, code: string, message: string, hint: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }

  /** Asking again may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** `path` is the one that is described; `url` is it with its parameters filled in. */
export async function get<Path extends keyof Answers>(
  _path: Path,
  url: string,
  signal?: AbortSignal,
): Promise<Answers[Path]> {
  const response = await send(url, signal === undefined ? {} : { signal });
  return (await response.json()) as Answers[Path];
}

export async function getText(url: string, signal?: AbortSignal): Promise<string> {
  return (await send(url, signal === undefined ? {} : { signal })).text();
}

/** Resolves with a good answer; else rejects with an ApiError. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const given = token();
  if (given !== null) headers.set('authorization', `Bearer ${given}`);
  const response = await answerOf(url, { ...init, headers });
  if (response.ok) {
    heard();
    return response;
  }
  refused();
  if (response.status === 401) unauthorized();
  const body = (await response.json().catch(() => null)) as ErrorBody | null;
  // What stands between may refuse too, in words of its own.
  const {
    code = 'unknown',
    message = `the answer was ${response.status}`,
    hint = '',
  } = body?.error ?? {};
  throw new ApiError(response.status, code, message, hint);
}

interface ErrorBody {
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

async function answerOf(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    lost();
    throw new ApiError(0, 'unreachable', 'Lull does not answer', 'It is asked again by itself.');
  }
}
