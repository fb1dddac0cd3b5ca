import { ROOT, topicLevelFault } from '../../core/protocol/topics.ts';

/** Who may do what at a broker: one table, from which every broker's rules are made. Pure. */

export const ROLES = ['agent', 'viewer', 'operator', 'releaser', 'hub'] as const;
export type Role = (typeof ROLES)[number];
type Access = 'read' | 'write' | 'readwrite';

interface Right {
  readonly access: Access;
  /** Below `edgewood/1/<site>/`; `<id>` is the agent's own. */
  readonly topic: string;
}

const to = (access: Access, ...topics: readonly string[]): Right[] =>
  topics.map((topic) => ({ access, topic }));

/** What the releaser signs: anybody in the fleet reads it, nobody else writes it. */
const RELEASED = ['root/+', 'm/+/release/+', 'b/+/+'];

/** What is not here is refused. No topic is written by two roles. */
export const RIGHTS: Readonly<Record<Role, readonly Right[]>> = {
  agent: [
    ...to('write', 'a/<id>/status', 'a/<id>/alert/+', 'a/<id>/event', 'a/<id>/telemetry'),
    ...to('write', 'a/<id>/reported', 'a/<id>/reply/+'),
    // `edgewood doctor` says something to itself there.
    ...to('readwrite', 'a/<id>/selftest'),
    ...to('read', 'a/<id>/cmd/+', 'a/<id>/ack', ...RELEASED, 'm/+/rollout'),
  ],
  viewer: to('read', 'a/+/alert/+'),
  operator: [
    ...to('write', 'a/+/cmd/+'),
    ...to('readwrite', 'm/+/rollout'),
    ...to('read', 'a/#', 'hub/#', ...RELEASED),
  ],
  releaser: to('readwrite', ...RELEASED),
  hub: [...to('read', 'a/#'), ...to('write', 'a/+/ack'), ...to('readwrite', 'hub/#')],
};

/** One who connects. An agent is of one site; any other of those named, or of all (null). */
export interface Identity {
  readonly role: Role;
  /** The host id of an agent, else any name. */
  readonly name: string;
  readonly sites: readonly string[] | null;
}

/** What is wrong with a name or site, or null. */
export function identityFault({ name, sites }: Identity): string | null {
  const fault = topicLevelFault(name);
  if (fault !== null) return `${JSON.stringify(name)}: ${fault}`;
  for (const site of sites ?? []) {
    const wrong = topicLevelFault(site);
    if (wrong !== null) return `site ${JSON.stringify(site)}: ${wrong}`;
  }
  return null;
}

/**
 * One level of a user name: letters, digits, `_`, `-` and inner dots stay, every other byte becomes `%XX`. So no name
 * holds what means something to a password file, an ACL file, a path or a shell, and no two names become one.
 */
export function escapeLevel(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return Array.from(bytes, (byte, i) => {
    const character = String.fromCharCode(byte);
    return /[\w-]/.test(character) || (character === '.' && i > 0)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

/**
 * `agent/<site>/<id>`, `viewer/<name>`, …; from the second generation of credentials on with `~2`, … at its end. The
 * same as user name of a password and as common name of a certificate.
 */
export function userName({ role, name, sites }: Identity, generation = 1): string {
  const place = role === 'agent' ? `${escapeLevel(sites?.[0] ?? '')}/` : '';
  return `${role}/${place}${escapeLevel(name)}${generation > 1 ? `~${generation}` : ''}`;
}

/** The rights of one, on whole topics. @param allSites those that `sites: null` stands for */
export function rightsOf(identity: Identity, allSites: readonly string[]): Right[] {
  return (identity.sites ?? allSites).flatMap((site) =>
    RIGHTS[identity.role].map(({ access, topic }) => ({
      access,
      // Not a pattern for replace(): a host may be called $&.
      topic: `${ROOT}/${site}/${topic.split('<id>').join(identity.name)}`,
    })),
  );
}
