/** Counts of faults and repairs under stable names; a plain object, so that it goes to JSON as it is. */
export class Faults {
  readonly #counts: Record<string, number> = {};

  add(name: string, times = 1): void {
    if (times > 0) this.#counts[name] = (this.#counts[name] ?? 0) + times;
  }

  counts(): Readonly<Record<string, number>> {
    return { ...this.#counts };
  }
}
