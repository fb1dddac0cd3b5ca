import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostIdFrom, readMachineId } from '../../agent/identity.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MACHINE_ID = '0123456789abcdef0123456789abcdef';

test('a host is named by a hash of its machine id and its site', () => {
  const id = hostIdFrom(MACHINE_ID, 'berlin');
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(MACHINE_ID).not.toContain(id);
  expect(hostIdFrom(MACHINE_ID, 'berlin')).toBe(id);
  expect(hostIdFrom(MACHINE_ID, 'bonn')).not.toBe(id);
  expect(hostIdFrom(null, 'berlin')).toBeNull();
});

test('the first machine id that is one', () => {
  const directory = temporaryDirectory();
  const [odd, good] = [join(directory, 'odd'), join(directory, 'good')];
  writeFileSync(odd, 'uninitialized\n');
  writeFileSync(good, `${MACHINE_ID}\n`);
  expect(readMachineId([join(directory, 'none'), odd, good])).toBe(MACHINE_ID);
  expect(readMachineId([odd])).toBeNull();
});
