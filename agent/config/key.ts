export interface Key {
  /** Dotted path in the file; `sinks[].url` for an entry of a list. */
  readonly path: string;
  readonly expected: string;
  /** Gives the value the agent works with, or undefined for what it can't take. */
  readonly parse: (raw: unknown) => unknown;
  readonly default?: string | number | boolean;
  readonly doc: string;
  /** Taken over at a reload (SIGHUP); the others wait for a restart. */
  readonly reload?: true;
}
