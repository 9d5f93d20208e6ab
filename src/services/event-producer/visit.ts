/** One visit: what a shopper does next, from landing to leaving. Decides only, never waits. */
import type { Random } from './random.ts';
import {
  anyCategory,
  anyProduct,
  anySearch,
  anySource,
  ELEMENTS,
  type Product,
  traitsOf,
} from './shop.ts';
import type { ShopEvent } from './shop-event.ts';

/** An event before it has an id and a time. */
export type Action = Omit<ShopEvent, 'eventId' | 'timestamp'>;

export interface Visit {
  readonly userId: string;
  readonly device: string;
  readonly currency: string;
  /** Leaves after the landing page. */
  readonly bounces: boolean;
  readonly fillsCart: boolean;
  readonly buys: boolean;
  /** From now on the shopper leaves, or checks out. */
  endMs: number;
  /** When the shopper puts the phone down for a while; Infinity for most visits. */
  pauseAtMs: number;
  step: 'landing' | 'browsing' | 'cart' | 'checkout' | 'purchase' | 'thanks' | 'gone';
  page: string;
  /** The product on the page, if it is one. */
  product: Product | null;
  itemsInCart: number;
  cartCents: number;
}

/** What visits are like. */
export const VISITS = {
  bounceShare: 0.2,
  cartShare: 0.2,
  buyerShare: 0.085,
  /** Of visits that don't bounce, from landing to the wish to leave, without pauses. */
  meanMs: 205_000,
  pauseShare: 0.04,
  meanPauseMs: 330_000,
  /** Of all the time that shoppers spend, in pauses. */
  pausedShare: 0.06,
} as const;
/** Shapes of the gamma distributions of visits and of thinking times. */
const LENGTH_SHAPE = 3;
const THINK_SHAPE = 2;
const BOUNCE = { bounces: true, buys: false, fillsCart: false };
const MAX_PAUSE_MS = 480_000;
/** Checking out takes about this many thinking times. */
const CHECKOUT_THINKS = 4;
const MAX_ITEMS_IN_CART = 8;

/** A visit as any other. */
export function startVisit(userId: string, nowMs: number, thinkMs: number, random: Random): Visit {
  if (random.chance(VISITS.bounceShare)) {
    return { ...landing(userId, nowMs, 0, thinkMs, random), ...BOUNCE };
  }
  const lengthMs = random.gamma(LENGTH_SHAPE, VISITS.meanMs);
  const visit = landing(userId, nowMs, lengthMs, thinkMs, random);
  if (random.chance(VISITS.pauseShare)) visit.pauseAtMs = nowMs + lengthMs * random.unit();
  return visit;
}

/**
 * What is left of a visit met at a random moment: long visits are met more often than short ones
 * (inspection paradox), bounces hardly ever.
 */
export function restOfVisit(userId: string, nowMs: number, thinkMs: number, random: Random): Visit {
  const metShape = LENGTH_SHAPE + 1;
  const metMs = random.gamma(metShape, (VISITS.meanMs * metShape) / LENGTH_SHAPE);
  return landing(userId, nowMs, metMs * random.unit(), thinkMs, random);
}

/** The regular's visits are neither cut short nor drawn out: two to four minutes. */
export function regularVisit(userId: string, nowMs: number, thinkMs: number, random: Random) {
  return landing(userId, nowMs, random.between(120_000, 240_000), thinkMs, random);
}

function landing(
  userId: string,
  nowMs: number,
  lengthMs: number,
  thinkMs: number,
  random: Random,
): Visit {
  const { device, currency } = traitsOf(userId);
  const buys = random.chance(VISITS.buyerShare);
  const checkoutMs = buys ? Math.min(CHECKOUT_THINKS * thinkMs, lengthMs / 2) : 0;
  return {
    userId,
    device,
    currency,
    bounces: false,
    fillsCart: buys || random.chance(VISITS.cartShare),
    buys,
    endMs: nowMs + lengthMs - checkoutMs,
    pauseAtMs: Number.POSITIVE_INFINITY,
    step: 'landing',
    page: '/',
    product: null,
    itemsInCart: 0,
    cartCents: 0,
  };
}

/** How long the shopper takes until the next action. */
export function thinkingTimeMs(
  visit: Visit,
  nowMs: number,
  thinkMs: number,
  random: Random,
): number {
  const timeMs = random.gamma(THINK_SHAPE, thinkMs);
  if (nowMs < visit.pauseAtMs) return timeMs;
  const pauseMs = random.between(2 * VISITS.meanPauseMs - MAX_PAUSE_MS, MAX_PAUSE_MS);
  visit.pauseAtMs = Number.POSITIVE_INFINITY;
  visit.endMs += pauseMs;
  return timeMs + pauseMs;
}

/** What is left of a thinking time, or a pause, met at a random moment. */
export function restOfThinkingTimeMs(thinkMs: number, random: Random): number {
  if (random.chance(VISITS.pausedShare)) return random.unit() * MAX_PAUSE_MS;
  const metShape = THINK_SHAPE + 1;
  return random.gamma(metShape, (thinkMs * metShape) / THINK_SHAPE) * random.unit();
}

/** What the shopper does now; null when it leaves. */
export function act(visit: Visit, nowMs: number, random: Random): Action | null {
  switch (visit.step) {
    case 'landing':
      visit.step = 'browsing';
      return land(visit, random);
    case 'browsing':
      if (visit.bounces) return null;
      if (nowMs < visit.endMs) return browse(visit, random);
      if (!visit.buys) return null;
      if (visit.itemsInCart === 0) return addToCart(visit, random);
      visit.step = 'checkout';
      return view(visit, '/cart');
    case 'cart':
      visit.step = 'browsing';
      return view(visit, '/cart');
    case 'checkout':
      visit.step = 'purchase';
      return view(visit, '/checkout');
    case 'purchase':
      visit.step = 'thanks';
      return purchase(visit);
    case 'thanks':
      visit.step = 'gone';
      return view(visit, '/thanks');
    case 'gone':
      return null;
  }
}

function land(visit: Visit, random: Random): Action {
  const source = anySource(random);
  const target = random.unit();
  const action =
    target < 0.4
      ? view(visit, '/')
      : target < 0.65
        ? viewCategory(visit, random)
        : viewProduct(visit, random);
  return { ...action, referrer: source.referrer, utm: source.utm };
}

function browse(visit: Visit, random: Random): Action {
  const wish = random.unit();
  if (visit.product === null) {
    if (wish < 0.5) return viewProduct(visit, random);
    if (wish < 0.7) return viewCategory(visit, random);
    return wish < 0.86 ? search(visit, random) : click(visit, random);
  }
  const addsMore = visit.fillsCart && visit.itemsInCart < MAX_ITEMS_IN_CART;
  if (addsMore && wish < 0.22) return addToCart(visit, random);
  if (wish < 0.4) return click(visit, random);
  if (wish < 0.68) return viewProduct(visit, random);
  return wish < 0.88 ? viewCategory(visit, random) : search(visit, random);
}

function view(visit: Visit, page: string): Action {
  visit.page = page;
  visit.product = null;
  return action(visit, 'PAGE_VIEW');
}

function viewProduct(visit: Visit, random: Random): Action {
  const product = anyProduct(random);
  visit.page = product.page;
  visit.product = product;
  return { ...action(visit, 'PAGE_VIEW'), productId: product.id, category: product.category };
}

function viewCategory(visit: Visit, random: Random): Action {
  const { category, page } = anyCategory(random);
  return { ...view(visit, page), category };
}

function search(visit: Visit, random: Random): Action {
  const { query, page } = anySearch(random);
  visit.page = page;
  visit.product = null;
  return { ...action(visit, 'SEARCH'), query };
}

function click(visit: Visit, random: Random): Action {
  return {
    ...action(visit, 'CLICK'),
    productId: visit.product === null ? null : visit.product.id,
    element: ELEMENTS[random.below(ELEMENTS.length)]!,
  };
}

function addToCart(visit: Visit, random: Random): Action {
  const product = visit.product ?? anyProduct(random);
  const quantity = random.chance(0.12) ? 2 : 1;
  const amountCents = quantity * product.priceCents;
  visit.page = product.page;
  visit.itemsInCart += quantity;
  visit.cartCents += amountCents;
  // Some look into the cart at once.
  if (random.chance(0.3)) visit.step = 'cart';
  return {
    ...action(visit, 'ADD_TO_CART'),
    productId: product.id,
    category: product.category,
    quantity,
    amountCents,
    currency: visit.currency,
  };
}

function purchase(visit: Visit): Action {
  const { itemsInCart: quantity, cartCents: amountCents, currency } = visit;
  return { ...action(visit, 'PURCHASE'), quantity, amountCents, currency };
}

function action(visit: Visit, eventType: string): Action {
  return {
    userId: visit.userId,
    eventType,
    page: visit.page,
    referrer: null,
    device: visit.device,
    productId: null,
    category: null,
    query: null,
    quantity: null,
    amountCents: null,
    currency: null,
    utm: null,
    element: null,
  };
}
