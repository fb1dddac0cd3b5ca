import { topicLevelFault } from '../../core/protocol/topics.ts';
import { type Identity, identityFault, ROLES, type Role, userName } from './roles.ts';

/** Who is enrolled at a broker, as `fleet.json` keeps it. No secrets. */

export type Method = 'password' | 'certificate';

export interface Enrolled extends Identity {
  readonly method: Method;
  /** Of the credentials given out last; the user name carries it. */
  readonly generation: number;
  /** The generation before, let in until `--finish`; null where there is none. */
  readonly former: number | null;
}

export interface Fleet {
  readonly schemaVersion: 1;
  /** Where the broker finds its files. */
  readonly installedAs: string;
  readonly sites: readonly string[];
  /** By user name of the first generation, which no two share. */
  readonly enrolled: ReadonlyMap<string, Enrolled>;
}

/** Every user name that is let in for one: the newest credentials, and those before until they are finished. */
export const usersOf = (one: Enrolled): string[] =>
  [one.former, one.generation].filter((n) => n !== null).map((n) => userName(one, n));

export function fleetText({ enrolled, ...rest }: Fleet): string {
  const rows = [...enrolled.values()].map((one) => `    ${JSON.stringify(one)}`);
  const list = rows.length === 0 ? '[]' : `[\n${rows.join(',\n')}\n  ]`;
  return `${JSON.stringify(rest, null, 2).replace(/\n}$/, '')},\n  "enrolled": ${list}\n}\n`;
}

/** @throws RangeError saying what was expected where */
export function parseFleet(text: string): Fleet {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new RangeError('is no JSON');
  }
  const { schemaVersion, installedAs, sites, enrolled } = (document ?? {}) as Record<string, unknown>;
  if (schemaVersion !== 1) throw new RangeError('schemaVersion: expected 1; is it of a newer edgewood?');
  if (typeof installedAs !== 'string') throw new RangeError('installedAs: expected a path');
  if (!isSites(sites)) throw new RangeError('sites: expected a list of names');
  if (!Array.isArray(enrolled)) throw new RangeError('enrolled: expected a list');
  const rows = enrolled.map((row: unknown, i): [string, Enrolled] => {
    const one = parseEnrolled(row);
    if (one === null) throw new RangeError(`enrolled[${i}]: expected role, name, sites, method, generation`);
    return [userName(one), one];
  });
  return { schemaVersion, installedAs, sites, enrolled: new Map(rows) };
}

const isSites = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && topicLevelFault(one) === null);
const isGeneration = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

function parseEnrolled(row: unknown): Enrolled | null {
  const { role, name, sites, method, generation, former } = (row ?? {}) as Record<string, unknown>;
  if (!ROLES.includes(role as Role) || typeof name !== 'string') return null;
  if (sites !== null && !isSites(sites)) return null;
  if (role === 'agent' && sites?.length !== 1) return null;
  if (method !== 'password' && method !== 'certificate') return null;
  if (!isGeneration(generation) || !(former === null || isGeneration(former))) return null;
  const one = { role: role as Role, name, sites, method, generation, former } as const;
  return identityFault(one) === null ? one : null;
}
