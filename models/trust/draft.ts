import type { KeyObject } from 'node:crypto';
import { ROLES, type Role, type RoleName, type RootDocument } from '../../core/protocol/trust.ts';
import { keyIdOf, rawPublicKey } from './keys.ts';

/** A key that gets roles. */
export interface Grant {
  /** For people, e.g. the name of its file. */
  readonly name: string;
  readonly key: KeyObject;
  readonly roles: readonly RoleName[];
}

export interface RootChange {
  readonly grants: readonly Grant[];
  /** Ids of keys that lose every role. */
  readonly remove: readonly string[];
  readonly thresholds: Readonly<Partial<Record<RoleName, number>>>;
  /** Hex SHA-256 of artifacts. */
  readonly revoke: readonly string[];
  readonly issuedMs: number;
  readonly lifeMs: number;
}

/** What comes before the first root of a fleet: nobody may sign anything. */
export function noRoot(fleet: string): RootDocument {
  const nobody: Role = { threshold: 1, keys: [] };
  return {
    type: 'root',
    schemaVersion: 1,
    fleet,
    version: 0,
    issuedAt: '',
    expiresAt: '',
    keys: {},
    roles: Object.fromEntries(ROLES.map((name) => [name, nobody])) as unknown as RootDocument['roles'],
    revoked: [],
  };
}

/** The root after `before`, unsigned and unchecked. Lists are sorted, so that one change has one digest. */
export function changedRoot(before: RootDocument, change: RootChange): RootDocument {
  const added = change.grants.map(({ name, key, roles }) => ({ id: keyIdOf(key), name, key, roles }));
  const roles = Object.fromEntries(
    ROLES.map((role) => {
      const { threshold, keys } = before.roles[role];
      const granted = added.filter((one) => one.roles.includes(role)).map(({ id }) => id);
      const kept = keys.filter((id) => !change.remove.includes(id));
      const all = [...new Set([...kept, ...granted])].sort();
      return [role, { threshold: change.thresholds[role] ?? threshold, keys: all }];
    }),
  ) as unknown as RootDocument['roles'];
  const known: RootDocument['keys'] = {
    ...before.keys,
    ...Object.fromEntries(added.map(({ id, name, key }) => [id, { name, ed25519: rawPublicKey(key) }])),
  };
  const used = new Set(Object.values(roles).flatMap(({ keys }) => keys));
  return {
    ...before,
    version: before.version + 1,
    issuedAt: new Date(change.issuedMs).toISOString(),
    expiresAt: new Date(change.issuedMs + change.lifeMs).toISOString(),
    keys: Object.fromEntries(Object.entries(known).filter(([id]) => used.has(id))),
    roles,
    revoked: [...new Set([...before.revoked, ...change.revoke])].sort(),
  };
}
