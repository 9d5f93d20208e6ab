/** What a browser is shown in tests: shoppers, past and live, and one who plants script. */
import { post, type RunningSystem } from './running-system.ts';

const MINUTE_MS = 60_000;

export interface StoryEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly eventType: string;
  readonly timestamp: number;
  readonly [field: string]: unknown;
}

/** Would set a mark on the page, if anything took it for HTML. */
export const PLANTED =
  '"><img src=x onerror="window.planted=1"><script>window.planted=1</script><svg onload=alert(1)>';

/** An event so many minutes ago. */
export function event(
  userId: string,
  minutesAgo: number,
  eventType = 'PAGE_VIEW',
  fields: Record<string, unknown> = {},
): StoryEvent {
  const timestamp = Date.now() - minutesAgo * MINUTE_MS;
  return {
    eventId: `${userId} ${minutesAgo} ${eventType}`,
    userId,
    eventType,
    timestamp,
    page: '/',
    device: 'mobile',
    ...fields,
  };
}

const money = { amount: 59.9, currency: 'EUR' };

/** Closed once the clock is at the present. */
export const PAST: readonly StoryEvent[] = [
  event('ada', 200, 'PAGE_VIEW', { referrer: 'https://www.google.com/search?q=boots' }),
  event('ada', 199, 'SEARCH', { page: '/search' }),
  event('ada', 185, 'ADD_TO_CART', { page: '/products/1', ...money }),
  event('ada', 184, 'PURCHASE', { page: '/checkout', ...money }),
  event('ada', 183, 'PAGE_VIEW', { page: '/thanks' }),
  event('bridge', 70, 'PAGE_VIEW', { page: '/first' }),
  event('late', 60, 'PAGE_VIEW', { page: '/early' }),
  event('late', 41, 'PAGE_VIEW', { page: '/early' }),
  event('ada', 90, 'PAGE_VIEW', { page: '/sale' }),
];

/** Live, whatever the clock. */
export const LIVE: readonly StoryEvent[] = [
  event('bridge', 24, 'PAGE_VIEW', { page: '/second' }),
  event('ada', 6, 'PAGE_VIEW', { page: '/products/2' }),
  event('ada', 2, 'ADD_TO_CART', { page: '/products/2', ...money }),
  event('bob', 10, 'PAGE_VIEW', { page: '/help', device: 'desktop' }),
  event('bought', 4, 'PURCHASE', { page: '/checkout', ...money }),
  ...Array.from({ length: 6 }, (_, n) => event('busy', 3 - n / 10, 'CLICK', { page: `/c/${n}` })),
];

const FIELDS = {
  page: PLANTED,
  device: PLANTED,
  referrer: `https://a.example/${PLANTED}`,
  productId: PLANTED,
  category: PLANTED,
  query: PLANTED,
  currency: 'EUR',
  amount: 3,
  utm: { source: PLANTED, medium: PLANTED, campaign: PLANTED },
};
export const MALLORY = `mallory ${PLANTED}`;
export const PLANTS: readonly StoryEvent[] = [
  event(MALLORY, 170, 'PURCHASE', FIELDS),
  event(MALLORY, 169, 'x"><script>1</script>', FIELDS),
  event(MALLORY, 1, 'ADD_TO_CART', FIELDS),
  event(MALLORY, 0.5, '<i>type</i>', FIELDS),
];

/** All of it; the last event moves the clock to the present. */
export async function tellStory({ url }: RunningSystem): Promise<void> {
  const inOrder = [...PAST, ...PLANTS, ...LIVE].sort((a, b) => a.timestamp - b.timestamp);
  const { body } = await post(url, [...inOrder, event('clock', 0)]);
  if (body.accepted !== inOrder.length + 1) throw new Error(JSON.stringify(body));
}
