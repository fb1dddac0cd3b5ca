/** A dump that can't be used: where in it (a JSON path), what was expected, what was found. */
export class DumpError extends Error {
  override readonly name = 'DumpError';
}

const MOST_SHOWN = 40;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const text = JSON.stringify(value);
  return typeof value === 'object' && value !== null
    ? 'an object'
    : text.length > MOST_SHOWN
      ? `${text.slice(0, MOST_SHOWN)}…`
      : text;
}

/** A value of a parsed document that knows where it stands, and refuses what it isn't. */
export class Node {
  readonly value: unknown;
  readonly path: string;

  constructor(value: unknown, path: string) {
    this.value = value;
    this.path = path;
  }

  fail(expected: string): never {
    throw new DumpError(`${this.path || 'the document'}: expected ${expected}, found ${shown(this.value)}`);
  }

  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  key(name: string): Node {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('an object');
    const own = Object.hasOwn(value as object, name) ? (value as Record<string, unknown>)[name] : undefined;
    return new Node(own, this.path === '' ? name : `${this.path}.${name}`);
  }

  list(least: number, most: number): Node[] {
    const words = least === most ? `a list of ${least}` : `a list of ${least} to ${most}`;
    const { value } = this;
    if (!Array.isArray(value) || value.length < least || value.length > most) this.fail(words);
    return (value as unknown[]).map((entry, i) => new Node(entry, `${this.path}[${i}]`));
  }

  number(low: number, high: number): number {
    const { value } = this;
    if (typeof value === 'number' && value >= low && value <= high) return value;
    return this.fail(high === Number.MAX_VALUE ? 'a finite number' : `a number from ${low} to ${high}`);
  }

  whole(low: number, high: number): number {
    const { value } = this;
    if (Number.isInteger(value) && Number(value) >= low && Number(value) <= high) return Number(value);
    return this.fail(`a whole number from ${low} to ${high}`);
  }

  text(most: number): string {
    const { value } = this;
    if (typeof value === 'string' && value.length > 0 && value.length <= most) return value;
    return this.fail(`a text of 1 to ${most} characters`);
  }

  /** Numbers of a long list, without a Node for each. */
  numbers(length: number, low: number, high: number): Float64Array {
    return this.#each(
      length,
      (entry) => typeof entry === 'number' && entry >= low && entry <= high,
      (at) => at.number(low, high),
    );
  }

  wholes(length: number, low: number, high: number): Float64Array {
    return this.#each(
      length,
      (entry) => Number.isInteger(entry) && Number(entry) >= low && Number(entry) <= high,
      (at) => at.whole(low, high),
    );
  }

  #each(length: number, good: (entry: unknown) => boolean, refuse: (at: Node) => number): Float64Array {
    const { value } = this;
    if (!Array.isArray(value) || value.length !== length) this.fail(`a list of ${length}`);
    const entries = value as unknown[];
    const bad = entries.findIndex((entry) => !good(entry));
    if (bad >= 0) refuse(new Node(entries[bad], `${this.path}[${bad}]`));
    return Float64Array.from(entries as number[]);
  }
}
