// A random number generator with a seed (mulberry32), so that runs can be repeated.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** Returns true with this probability. */
  happens(often: number): boolean {
    return this.next() < often;
  }

  /** Returns one of the choices; repeated ones are more likely. */
  of<T>(...choices: T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T;
  }
}
