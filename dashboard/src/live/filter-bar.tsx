/** What of the live sessions is shown, in which order, and whether the list stands still. */
import { formatCount } from '../format.ts';
import { type LiveFilters, type LiveOrder, NO_FILTERS, ORDERS } from './live-sessions.ts';
import type { StillList } from './use-still-list.ts';

const IDLES = [
  [0, 'Any idle time'],
  [60, 'Idle over 1 min'],
  [300, 'Idle over 5 min'],
  [900, 'Idle over 15 min'],
  [1800, 'Idle over 30 min'],
] as const;
const MINIMA = [
  [0, 'Any events'],
  [2, '2+ events'],
  [5, '5+ events'],
  [10, '10+ events'],
  [25, '25+ events'],
] as const;

interface FilterBarProps {
  filters: LiveFilters;
  order: LiveOrder;
  devices: readonly string[];
  still: StillList;
  count: number;
  change: (filters: LiveFilters) => void;
  changeOrder: (order: LiveOrder) => void;
}

export function FilterBar(props: FilterBarProps) {
  const { filters, devices, still, count, change } = props;
  const set = (parts: Partial<LiveFilters>) => change({ ...filters, ...parts });
  const isFiltered = Object.keys(NO_FILTERS).some((name) => {
    const key = name as keyof LiveFilters;
    return filters[key] !== NO_FILTERS[key];
  });
  return (
    <div class="toolbar">
      <div class="filters" role="group" aria-label="Filters">
        <Toggle
          name="Has a cart"
          isOn={filters.hasCart}
          toggle={() => set({ hasCart: !filters.hasCart })}
        />
        <Toggle
          name="Converted"
          isOn={filters.hasConverted}
          toggle={() => set({ hasConverted: !filters.hasConverted })}
        />
        <Choice
          name="Idle time"
          value={filters.minIdleSeconds}
          options={IDLES}
          choose={(value) => set({ minIdleSeconds: Number(value) })}
        />
        <Choice
          name="Events"
          value={filters.minEvents}
          options={MINIMA}
          choose={(value) => set({ minEvents: Number(value) })}
        />
        <Choice
          name="Device"
          value={filters.device}
          options={[['', 'Any device'], ...devices.map((device) => [device, device] as const)]}
          choose={(device) => set({ device })}
        />
        {isFiltered && (
          <button type="button" class="quiet" onClick={() => change(NO_FILTERS)}>
            Clear
          </button>
        )}
      </div>
      <Standing {...props} still={still} count={count} />
    </div>
  );
}

function Standing({ order, still, count, changeOrder }: FilterBarProps) {
  const news = [
    still.arrived > 0 ? `${formatCount(still.arrived)} new` : '',
    still.gone > 0 ? `${formatCount(still.gone)} closed` : '',
  ].filter((part) => part !== '');
  return (
    <div class="standing">
      <span class="count" aria-live="off">
        {formatCount(count)} {count === 1 ? 'session' : 'sessions'}
      </span>
      {still.isStill && <span class="pill">Paused{news.length > 0 && `: ${news.join(', ')}`}</span>}
      <button type="button" aria-pressed={still.isPinned} onClick={still.togglePinned}>
        {still.isPinned ? 'Resume' : 'Pause'}
      </button>
      <Choice
        name="Order"
        value={order}
        options={Object.entries(ORDERS).map(([key, { name }]) => [key, name] as const)}
        choose={(value) => changeOrder(value as LiveOrder)}
      />
    </div>
  );
}

function Toggle({ name, isOn, toggle }: { name: string; isOn: boolean; toggle: () => void }) {
  return (
    <button type="button" class="toggle" aria-pressed={isOn} onClick={toggle}>
      {name}
    </button>
  );
}

interface ChoiceProps {
  name: string;
  value: string | number;
  options: readonly (readonly [value: string | number, name: string])[];
  choose: (value: string) => void;
}

function Choice({ name, value, options, choose }: ChoiceProps) {
  return (
    <select
      aria-label={name}
      class={value === options[0]![0] ? '' : 'chosen'}
      value={value}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}
