import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseFleet, usersOf } from '../../models/access/fleet.ts';
import {
  parsePasswords,
  renderAcl,
  renderConfiguration,
  renderPasswords,
} from '../../models/access/mosquitto.ts';
import { RIGHTS, ROLES } from '../../models/access/roles.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLE = join(ROOT, 'deploy', 'broker', 'example');
const read = (...path: string[]): string => readFileSync(join(EXAMPLE, ...path), 'utf8');

test('the example is what the commands write', () => {
  const fleet = parseFleet(read('fleet.json'));
  expect(renderConfiguration(fleet, true)).toBe(read('mosquitto', 'edgewood.conf'));
  expect(renderAcl(fleet)).toBe(read('mosquitto', 'acl'));
  // Of passwords that nobody knows.
  const hashes = parsePasswords(read('mosquitto', 'passwords'));
  expect(renderPasswords(fleet, hashes)).toBe(read('mosquitto', 'passwords'));
  const users = [...fleet.enrolled.values()].filter(({ method }) => method === 'password').flatMap(usersOf);
  expect([...hashes.keys()]).toEqual(users);
  expect(new Set([...fleet.enrolled.values()].map(({ role }) => role))).toEqual(new Set(ROLES));
});

test('the table in PROTOCOL.md is the one in the code', () => {
  const rows = ROLES.map((role) => {
    const may = (access: string): string =>
      RIGHTS[role]
        .filter((right) => right.access === access || right.access === 'readwrite')
        .map(({ topic }) => `\`${topic}\``)
        .join(', ') || '–';
    return [role, may('write'), may('read')];
  });
  const [, section = ''] = readFileSync(join(ROOT, 'docs', 'PROTOCOL.md'), 'utf8').split('\n## Access\n');
  const cells = section
    .split('\n')
    .filter((line) => /^\| [a-z]+ +\| [`–]/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(cells).toEqual(rows);
});
