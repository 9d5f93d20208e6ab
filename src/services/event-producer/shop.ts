/** The shop that is simulated: what it sells, and where its visitors come from. */
import { hash53 } from '../../core/hash.ts';
import type { Random } from './random.ts';

export interface Product {
  readonly id: string;
  readonly page: string;
  readonly category: string;
  readonly priceCents: number;
}

export interface Source {
  readonly referrer: string | null;
  readonly utm: Utm | null;
}

export interface Utm {
  readonly source: string;
  readonly medium: string;
  readonly campaign: string;
}

/** What stays the same of a user from visit to visit. */
export interface Traits {
  readonly device: string;
  readonly currency: string;
}

const CATEGORY_PRICES_CENTS: readonly (readonly [string, number])[] = [
  ['shoes', 6990],
  ['boots', 11990],
  ['jackets', 14900],
  ['jeans', 5995],
  ['bags', 4450],
  ['accessories', 1590],
];
const PRODUCT_COUNT = 120;
const PRICE_STEPS = [0.6, 0.75, 0.9, 1, 1.15, 1.4, 1.9];

const PRODUCTS: readonly Product[] = Array.from({ length: PRODUCT_COUNT }, (_, index) => {
  const [category, baseCents] = CATEGORY_PRICES_CENTS[index % CATEGORY_PRICES_CENTS.length]!;
  const step = PRICE_STEPS[(index * 5) % PRICE_STEPS.length]!;
  const id = index + 1;
  return {
    id: `p${id}`,
    page: `/products/${id}`,
    category,
    priceCents: Math.round(baseCents * step),
  };
});

const SEARCHES: readonly string[] = [
  'boots',
  'winter boots',
  'running shoes',
  'black jeans',
  'rain jacket',
  'leather bag',
  'größe 42',
  'gift',
];

export const ELEMENTS: readonly string[] = ['gallery', 'size', 'reviews', 'filter', 'sort', 'menu'];

/** Few products draw most of the looks. */
export function anyProduct(random: Random): Product {
  const skewed = random.unit();
  return PRODUCTS[Math.floor(skewed * skewed * PRODUCT_COUNT)]!;
}

/** A category's page. */
export function anyCategory(random: Random): { category: string; page: string } {
  const category = CATEGORY_PRICES_CENTS[random.below(CATEGORY_PRICES_CENTS.length)]![0];
  return { category, page: `/c/${category}` };
}

const SEARCH_PAGES = SEARCHES.map((query) => ({
  query,
  page: `/search?q=${encodeURIComponent(query)}`,
}));

export function anySearch(random: Random): { query: string; page: string } {
  return SEARCH_PAGES[random.below(SEARCH_PAGES.length)]!;
}

const DIRECT: Source = { referrer: null, utm: null };
const SOURCES: readonly Source[] = [
  DIRECT,
  { referrer: 'https://www.google.com/', utm: null },
  {
    referrer: 'https://www.google.com/',
    utm: { source: 'google', medium: 'cpc', campaign: 'autumn' },
  },
  {
    referrer: null,
    utm: { source: 'newsletter', medium: 'email', campaign: 'weekly' },
  },
  { referrer: 'https://www.instagram.com/', utm: null },
  {
    referrer: 'https://www.facebook.com/',
    utm: { source: 'facebook', medium: 'paid_social', campaign: 'retargeting' },
  },
  { referrer: 'https://duckduckgo.com/', utm: null },
  { referrer: 'https://blog.example.org/best-boots', utm: null },
];
/** Running sums, in percent of visits. */
const SOURCE_WEIGHTS = [28, 60, 72, 80, 87, 92, 96, 100];

export function anySource(random: Random): Source {
  return random.pick(SOURCES, SOURCE_WEIGHTS);
}

/** Derived from the id alone, so that a returning user comes with the same device. */
export function traitsOf(userId: string): Traits {
  const hash = hash53(userId);
  const device = hash % 100;
  const currency = Math.floor(hash / 100) % 100;
  return {
    device: device < 58 ? 'mobile' : device < 94 ? 'desktop' : 'tablet',
    currency: currency < 85 ? 'EUR' : currency < 95 ? 'GBP' : 'CHF',
  };
}
