// Chance that can be repeated: everything follows from a seed (mulberry32).

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** Whether something happens that happens so often. */
  happens(often: number): boolean {
    return this.next() < often;
  }

  /** One of several; what is named more than once comes more often. */
  of<T>(...choices: T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T;
  }
}
