/** What a view shows instead of data: loading, nothing there, something wrong. */
import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api.ts';

export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

interface EmptyProps {
  title: string;
  /** It is all that the view shows. */
  isWhole?: boolean;
  children?: ComponentChildren;
}

export function Empty({ title, isWhole = false, children }: EmptyProps) {
  return (
    <div class="state">
      {isWhole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

interface ProblemProps {
  title: string;
  message: string;
  retry?: () => void;
}

export function Problem({ title, message, retry }: ProblemProps) {
  return (
    <div class="state" role="alert">
      <h2>{title}</h2>
      <p>{message}</p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Refusal({ error, retry }: { error: ApiError; retry: () => void }) {
  const message = [error.message, error.hint].filter((part) => part !== '').join('. ');
  return <Problem title="This could not be loaded" message={message} retry={retry} />;
}
