import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createSource } from '../../collector/create.ts';
import { detectContainer, inventory } from '../../collector/inventory.ts';
import { cleanName, heaviestProcesses, parseProcessStat } from '../../collector/processes.ts';
import { ProcfsSource } from '../../collector/procfs/source.ts';
import { type Source, SourceError } from '../../collector/source.ts';
import { SystemInformationSource } from '../../collector/systeminformation.ts';
import { FakeClock, FakeRoot, STAT } from './support.ts';

let root: FakeRoot;
afterEach(() => root?.destroy());

describe('processes', () => {
  const stat = (name: string, ticks: number, pages: number, start = 1) =>
    `7 (${name}) S 1 1 1 0 -1 4 0 0 0 0 ${ticks} 0 0 0 20 0 1 0 ${start} 9999 ${pages} 18446744073709551615`;

  it('reads a stat whose name is hostile', () => {
    expect(parseProcessStat(stat('a) R (b', 5, 3))).toEqual({
      name: 'a) R (b',
      ticks: 5,
      startTicks: 1,
      residentPages: 3,
    });
    expect(parseProcessStat('7 (x')).toBeNull();
    expect(parseProcessStat('7 (x) S 1')).toBeNull();
    expect(cleanName(`\u001b[31mred\n\u202e${'x'.repeat(100)}`)).toBe(`[31mred${'x'.repeat(57)}`);
    expect(cleanName('\n')).toBe('?');
  });

  it('ranks by CPU over the window and by memory; a reused pid has no share', async () => {
    root = new FakeRoot({ stat: STAT, '1/stat': stat('init', 0, 10), '2/stat': stat('hot', 100, 1) });
    root.write('3/stat', stat('old', 900, 2));
    root.write('3/cmdline', 'old\0--password=x\0');
    const clock = new FakeClock();
    const sleep = async (ms: number) => {
      clock.advance(ms);
      root.write('2/stat', stat('hot', 120, 1));
      root.write('3/stat', stat('new', 1, 50, 2));
      root.write('4/stat', stat('born', 10, 1));
    };
    const options = { root: root.path, count: 2, clock, sleep };
    const { byCpu, byMemory } = await heaviestProcesses(options);
    expect(byCpu.map(({ name, cpuPercent }) => [name, cpuPercent])).toEqual([
      ['hot', 50],
      ['born', 25],
    ]);
    expect(byMemory.map(({ name, memoryBytes }) => [name, memoryBytes])).toEqual([
      ['new', 50 * 4096],
      ['init', 10 * 4096],
    ]);
    const asked = await heaviestProcesses({ ...options, commandLines: true });
    expect(asked.byMemory[0]!.name).toBe('old --password=x');
    expect(await heaviestProcesses({ root: `${root.path}/none`, clock, sleep })).toEqual({
      byCpu: [],
      byMemory: [],
    });
  });
});

describe('systeminformation', () => {
  const api = {
    currentLoad: async () => ({ currentLoad: 30, currentLoadSteal: 10, avgLoad: 0.5 }),
    mem: async () => ({ total: 0, available: 0, swaptotal: 0, swapused: 0 }),
    networkStats: async () => [{ iface: 'eth0', rx_errors: 1, rx_sec: null, tx_sec: -1 }],
    fsSize: async () => {
      throw new Error('df');
    },
    fsStats: async () => null,
  };

  it('turns the package’s nulls, zeros and failures into NaN, and counts', async () => {
    const clock = new FakeClock();
    const source = new SystemInformationSource({ clock, load: async () => api as never });
    await source.open();
    await source.read();
    clock.advance(1000);
    const { values } = await source.read();
    const at = (name: string) => values[source.schema.findIndex((metric) => metric.name === name)];
    expect(['memory', 'network', 'filesystem', 'disk_read'].map(at)).toEqual(Array(4).fill(Number.NaN));
    expect(at('cpu')).toBe(20);
    expect(at('network_errors')).toBe(0);
    expect(source.faults()).toEqual({ memoryUnreadable: 2, filesystemUnreadable: 2 });
    clock.advance(100_000);
    await source.read();
    expect(source.faults().suspendResumed).toBe(1);
  });

  it('rejects where it can read nothing, and says when it is not there', async () => {
    const fail = async () => Promise.reject(new Error('no'));
    const broken = { currentLoad: fail, mem: fail, networkStats: fail, fsSize: fail, fsStats: fail };
    const source = new SystemInformationSource({ load: async () => broken as never });
    await expect(source.read()).rejects.toThrow('before open');
    await source.open();
    await expect(source.read()).rejects.toThrow('nothing');
    await expect(new SystemInformationSource({ load: fail as never }).open()).rejects.toThrow(SourceError);
  });

  it('inventory of this host; empty without the package', async () => {
    const found = await inventory();
    expect(found).toMatchObject({ platform: process.platform, arch: process.arch });
    expect(found.cores).toBeGreaterThan(0);
    const nothing = await inventory((async () => Promise.reject(new Error('no'))) as never);
    expect(nothing.interfaces).toEqual([]);
    expect(detectContainer({}, () => false)).toBeNull();
    expect(detectContainer({ KUBERNETES_SERVICE_HOST: 'x' }, () => false)).toBe('kubernetes');
    expect(detectContainer({ container: 'lxc' }, () => false)).toBe('container');
    expect(detectContainer({}, (path) => path === '/.dockerenv')).toBe('docker');
  });
});

describe('createSource', () => {
  it('makes each by its word, and names what it expected', () => {
    const kinds = ['procfs', 'systeminformation', 'replay:a.csv,b.csv'].map(
      (spec) => createSource(spec, { intervalMs: 1000, pace: 'max', speed: 1, maxRows: 5 }).kind,
    );
    expect(kinds).toEqual(['procfs', 'systeminformation', 'replay']);
    expect(() => createSource('snmp', { intervalMs: 1 })).toThrow(SourceError);
  });
});

describe.runIf(existsSync('/proc/stat'))('procfs against systeminformation on this host', () => {
  it('agrees on memory and sees the same busy loop', async () => {
    const sources: Source[] = [new ProcfsSource({ view: 'host' }), new SystemInformationSource()];
    for (const source of sources) await source.open();
    const at = (values: Float64Array, name: string) =>
      values[sources[0]!.schema.findIndex((metric) => metric.name === name)]!;
    for (const source of sources) await source.read();
    // The package answers from its cache within half a second.
    const untilMs = performance.now() + 1500;
    while (performance.now() < untilMs) if (performance.now() % 50 < 0.01) await pause(0);
    const [own, theirs] = await Promise.all(sources.map(async (source) => (await source.read())!.values));
    expect(Math.abs(at(own!, 'memory') - at(theirs!, 'memory'))).toBeLessThan(2);
    expect(Math.abs(at(own!, 'cpu') - at(theirs!, 'cpu'))).toBeLessThan(25);
    // One thread was busy all the time.
    expect(at(own!, 'cpu')).toBeGreaterThan(50 / navigator.hardwareConcurrency);
    for (const source of sources) await source.close();
  });
});
