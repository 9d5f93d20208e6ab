/** A number that matters, with its name, and what it means underneath. */
import type { ComponentChildren } from 'preact';

interface FigureProps {
  name: string;
  value: string;
  /** null: there is nothing to add. */
  note?: ComponentChildren;
  children?: ComponentChildren;
}

export function Figure({ name, value, note, children }: FigureProps) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>
        <span class="value">{value}</span>
        {note && <span class="note">{note}</span>}
        {children}
      </dd>
    </div>
  );
}

/** The last values as a line; its figure says the newest, so it is a decoration. */
export function Sparkline({ values, slots }: { values: readonly number[]; slots: number }) {
  const top = Math.max(1, ...values);
  const first = slots - values.length;
  const points = values.map((value, index) => {
    const x = ((first + index) / (slots - 1)) * 100;
    return `${x.toFixed(2)},${(23 - (value / top) * 22).toFixed(2)}`;
  });
  return (
    <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(' ')} />
    </svg>
  );
}
