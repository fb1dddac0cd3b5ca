import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SEVERITIES } from '../../../core/protocol/events.ts';
import { agentTopics } from '../../../core/protocol/topics.ts';
import { type Enrolled, type Fleet, fleetText, parseFleet, usersOf } from '../../../models/access/fleet.ts';
import { parsePasswords, renderAcl, renderPasswords } from '../../../models/access/mosquitto.ts';
import { identityFault, RIGHTS, ROLES, rightsOf, userName } from '../../../models/access/roles.ts';

/** What a file is made of, and what would be something else in one. */
const part = fc.constantFrom(
  'user ',
  'topic ',
  'readwrite #',
  '\n',
  '\r',
  '#',
  '+',
  '/',
  ' ',
  ':',
  '$7$',
  '%u',
  '%c',
  '~2',
  '..',
  'ü',
  '\ud800',
  '\u2028',
  '"',
  '\\',
  'h1',
);
const hostile = fc.oneof(
  fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 64 }),
);
const legal = hostile.filter((name) => identityFault({ role: 'agent', name, sites: ['s'] }) === null);
const identity = fc.record({
  role: fc.constantFrom(...ROLES),
  name: legal,
  sites: legal.map((site): readonly string[] => [site]),
});
const enrolled = fc
  .record({ identity, generation: fc.integer({ min: 1, max: 9 }), renewed: fc.boolean() })
  .map(
    ({ identity: who, generation, renewed }): Enrolled => ({
      ...who,
      method: 'password',
      generation,
      former: renewed && generation > 1 ? generation - 1 : null,
    }),
  );
const fleetOf = (all: readonly Enrolled[]): Fleet => ({
  schemaVersion: 1,
  installedAs: '/etc/mosquitto/edgewood',
  sites: ['berlin'],
  enrolled: new Map(all.map((one) => [userName(one), one])),
});

/** As Mosquitto 2.0.11 reads one (`security_default.c`): lines, trimmed; user, or access and topic up to the end. */
function parseAcl(text: string): Map<string, string[]> {
  const users = new Map<string, string[]>();
  let current = users.set('', []).get('') as string[];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [word = '', ...rest] = line.split(' ');
    if (word === 'user') {
      current = users.get(rest.join(' ')) ?? [];
      users.set(rest.join(' '), current);
    } else if (word === 'topic') current.push(rest.join(' '));
    else throw new Error(`what is ${line}?`);
  }
  return users;
}

describe('access', () => {
  test('whatever the names, the files say what the table says, for these users and no others', () => {
    fc.assert(
      fc.property(fc.array(enrolled, { maxLength: 5 }), (all) => {
        const fleet = fleetOf(all);
        const acl = parseAcl(renderAcl(fleet));
        const users = [...fleet.enrolled.values()].flatMap(usersOf);
        expect([...acl.keys()]).toEqual(['', ...users]);
        expect(acl.get('')).toEqual([]);
        for (const one of fleet.enrolled.values()) {
          const rights = rightsOf(one, []).map(({ access, topic }) => `${access} ${topic}`);
          for (const user of usersOf(one)) expect(acl.get(user)).toEqual(rights);
        }
        const hashes = new Map(users.map((user, i) => [user, `$7$101$salt$${i}`]));
        expect(parsePasswords(renderPasswords(fleet, hashes))).toEqual(hashes);
        expect(parseFleet(fleetText(fleet))).toEqual(fleet);
      }),
    );
  });

  test('no two of them share a user name, at whatever generation', () => {
    const nth = fc.integer({ min: 1, max: 3 });
    fc.assert(
      fc.property(identity, identity, nth, nth, (a, b, m, n) => {
        const site = (one: typeof a) => (one.role === 'agent' ? one.sites : null);
        const same =
          JSON.stringify([a.role, a.name, site(a), m]) === JSON.stringify([b.role, b.name, site(b), n]);
        expect(userName(a, m) === userName(b, n)).toBe(same);
        expect(userName(a, m)).toMatch(/^[a-z]+(\/[\w%-][\w%.-]*){1,2}(~\d)?$/);
      }),
    );
  });

  test('a name that would be more than one level, or none, is refused', () => {
    for (const name of ['', 'a/b', '+', 'a#', 'a\nb', 'a\rb', '\0', '\ud800', 'x'.repeat(65)]) {
      expect(identityFault({ role: 'agent', name, sites: ['s'] })).toMatch(/expected|not allowed/);
      expect(identityFault({ role: 'viewer', name: 'v', sites: [name] })).toMatch(/^site /);
    }
  });

  test('the agent may use each of its topics, and no other role may write what it writes', () => {
    const topics = agentTopics('berlin', 'h1');
    const may = (access: string) =>
      rightsOf({ role: 'agent', name: 'h1', sites: ['berlin'] }, []).flatMap((right) =>
        right.access === access || right.access === 'readwrite' ? [right.topic] : [],
      );
    const covered = (topic: string, list: readonly string[]): boolean =>
      list.includes(topic) || list.includes(topic.replace(/[^/]+$/, '+'));
    const { status, event, telemetry, reported, selftest } = topics;
    const written = [
      status,
      event,
      telemetry,
      reported,
      selftest,
      topics.reply('c'),
      ...SEVERITIES.map(topics.alert),
    ];
    expect(written.filter((topic) => !covered(topic, may('write')))).toEqual([]);
    expect(topics.subscriptions.filter((topic) => !covered(topic, may('read')))).toEqual([]);
    const writers = new Map<string, string>();
    for (const role of ROLES) {
      for (const { access, topic } of RIGHTS[role]) {
        if (access === 'read') continue;
        const family = topic.replace('<id>', '+');
        expect([family, writers.get(family) ?? role]).toEqual([family, role]);
        writers.set(family, role);
      }
    }
  });

  test.each<[string, RegExp]>([
    ['{', /is no JSON/],
    ['{}', /schemaVersion: expected 1/],
    ['{"schemaVersion":1,"installedAs":"/x","sites":["a/b"],"enrolled":[]}', /sites: expected/],
    ['{"schemaVersion":1,"installedAs":"/x","sites":[],"enrolled":[{"role":"root"}]}', /enrolled\[0\]/],
    [
      '{"schemaVersion":1,"installedAs":"/x","sites":[],"enrolled":[{"role":"agent","name":"a\\nuser b","sites":["s"],"method":"password","generation":1,"former":null}]}',
      /enrolled\[0\]/,
    ],
  ])('a fleet.json that says something else is refused: %j', (text, message) => {
    expect(() => parseFleet(text)).toThrow(message);
  });

  test('lines of a password file that are none are named', () => {
    expect(() => parsePasswords('a:$7$101$s$h\nb:plain\n')).toThrow(/line 2/);
  });
});
