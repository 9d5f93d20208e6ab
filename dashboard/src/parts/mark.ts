/** How an event is drawn: what is bought stands out, what is looked at does not. */

export type Mark = 'purchase' | 'cart' | 'search' | 'view' | 'other';

const MARKS: Readonly<Record<string, Mark>> = {
  PURCHASE: 'purchase',
  ADD_TO_CART: 'cart',
  SEARCH: 'search',
  PAGE_VIEW: 'view',
};

export function markOf(type: string): Mark {
  return MARKS[type] ?? 'other';
}
