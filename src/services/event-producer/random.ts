/**
 * Repeatable randomness: the sfc32 generator (Chris Doty-Humphrey, PractRand), seeded by a text.
 */
import { hash53 } from '../../core/hash.ts';

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#a = hash53(`a${seed}`) | 0;
    this.#b = hash53(`b${seed}`) | 0;
    this.#c = hash53(`c${seed}`) | 0;
    for (let round = 0; round < 12; round++) this.unit();
  }

  /** From 0 up to, not including, 1. */
  unit(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Gamma distributed: shape 1 is exponential, higher shapes lie closer to the mean. */
  gamma(shape: number, mean: number): number {
    let product = 1;
    for (let factor = 0; factor < shape; factor++) product *= 1 - this.unit();
    return (-Math.log(product) * mean) / shape;
  }

  /** One of a list, by weight: `weights` rises to its last entry, the sum. */
  pick<T>(items: readonly T[], weights: readonly number[]): T {
    const point = this.unit() * weights[weights.length - 1]!;
    let index = 0;
    while (weights[index]! <= point) index++;
    return items[index]!;
  }
}
