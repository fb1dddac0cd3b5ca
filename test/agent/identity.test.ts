import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  decideIdentity,
  hostIdFrom,
  type IdentityFacts,
  type IdentityRecord,
  readHardware,
  readIdentity,
  readMachineId,
  writeIdentity,
} from '../../agent/identity.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MACHINE = 'a'.repeat(32);
const known = (change: Partial<IdentityRecord> = {}): IdentityRecord => ({
  hostId: hostIdFrom(MACHINE, 'berlin') as string,
  site: 'berlin',
  hardware: ['nic1', 'nic2'],
  ...change,
});
const decide = (change: Partial<IdentityFacts> = {}): ReturnType<typeof decideIdentity> =>
  decideIdentity({
    configured: null,
    site: 'berlin',
    machineId: MACHINE,
    hardware: ['nic1', 'nic2'],
    known: known(),
    drawId: () => 'drawn',
    ...change,
  });

describe('who this host is', () => {
  test('the configured id, else a drawn one, else the machine id’s, else a random one that stays', () => {
    expect(decide({ configured: 'web-1', known: null })).toMatchObject({
      from: 'configuration',
      record: { hostId: 'web-1' },
    });
    expect(decide({ known: known({ hostId: 'x', drawn: 'x' }) })).toMatchObject({
      from: 'drawn',
      record: { hostId: 'x', drawn: 'x' },
    });
    expect(decide()).toMatchObject({ from: 'machine-id', change: null, record: known() });
    expect(decide({ machineId: null, known: null })).toMatchObject({
      from: 'random',
      record: { hostId: 'drawn' },
    });
    expect(decide({ machineId: null, known: known({ hostId: 'kept' }) })).toMatchObject({
      from: 'random',
      record: { hostId: 'kept' },
    });
    expect(hostIdFrom(MACHINE, 'berlin')).not.toBe(hostIdFrom(MACHINE, 'paris'));
  });

  test('another id or site on the same machine is another name', () => {
    expect(decide({ configured: 'web-1' })).toMatchObject({ change: 'renamed', before: known() });
    expect(decide({ site: 'paris' })).toMatchObject({ change: 'renamed' });
    expect(decide({ configured: 'web-1' }).record.suspect).toBeUndefined();
  });

  test('the same id on other hardware is a copy, and remains suspect until somebody says otherwise', () => {
    const copy = decide({ hardware: ['nic3'] });
    expect(copy).toMatchObject({ change: 'cloned', record: { suspect: true, hardware: ['nic3'] } });
    const later = decide({ hardware: ['nic3'], known: copy.record });
    expect(later).toMatchObject({ change: null, record: { suspect: true } });
    const renewed = decide({ hardware: ['nic3'], known: { ...copy.record, drawn: 'new' } });
    expect(renewed).toMatchObject({ change: 'renamed', record: { hostId: 'new', drawn: 'new' } });
    expect(renewed.record.suspect).toBeUndefined();
  });

  test('a copy that has got a machine id of its own is another host, and no suspect', () => {
    const copy = decide({ hardware: ['nic3'], machineId: 'b'.repeat(32) });
    expect(copy.change).toBe('cloned');
    expect(copy.record.suspect).toBeUndefined();
  });

  test('one interface that stays is enough, and none says nothing', () => {
    expect(decide({ hardware: ['nic2', 'nic9'] }).change).toBeNull();
    expect(decide({ hardware: [] })).toMatchObject({ change: null, record: { hardware: ['nic1', 'nic2'] } });
    expect(decide({ known: known({ hardware: [] }) })).toMatchObject({
      change: null,
      record: { hardware: ['nic1', 'nic2'] },
    });
  });
});

describe('on the disk', () => {
  test('is written whole, and read back; what can not be read is as none', () => {
    const directory = temporaryDirectory();
    expect(readIdentity(directory)).toBeNull();
    writeIdentity(directory, known({ suspect: true }));
    expect(readIdentity(directory)).toEqual(known({ suspect: true }));
    for (const text of ['', '{', '{"hostId":1}', '[]']) {
      writeFileSync(join(directory, 'identity.json'), text);
      expect(readIdentity(directory)).toBeNull();
    }
  });

  test('machine id', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'machine-id');
    writeFileSync(path, `${MACHINE}\n`);
    expect(readMachineId([join(directory, 'none'), path])).toBe(MACHINE);
    writeFileSync(path, 'uninitialized\n');
    expect(readMachineId([path])).toBeNull();
  });

  test('hardware: devices with an address, hashed, in order', () => {
    const root = temporaryDirectory();
    const card = (name: string, address: string, device: boolean): void => {
      mkdirSync(join(root, name, ...(device ? ['device'] : [])), { recursive: true });
      writeFileSync(join(root, name, 'address'), `${address}\n`);
    };
    card('eth0', '52:54:00:12:34:56', true);
    card('eth1', '52:54:00:12:34:57', true);
    card('eth2', '52:54:00:12:34:56', true);
    card('odd', '00:00:00:00:00:00', true);
    card('docker0', '02:42:00:00:00:01', false);
    const found = readHardware(root);
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain('52:54');
    expect(readHardware(root)).toEqual(found);
    expect(readHardware(join(root, 'none'))).toEqual([]);
  });
});
