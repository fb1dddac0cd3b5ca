import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { ProcfsSource } from '../../collector/procfs/source.ts';
import { ReplaySource } from '../../collector/replay.ts';
import { SystemInformationSource } from '../../collector/systeminformation.ts';
import { sourceConformance } from '../conformance/source.ts';
import { FakeClock, FakeRoot, netDev, procFiles, STAT } from './support.ts';

const roots: FakeRoot[] = [];
const fresh = (files: Record<string, string>): FakeRoot => {
  const root = new FakeRoot(files);
  roots.push(root);
  return root;
};
afterAll(() => {
  for (const root of roots) root.destroy();
});

const RATES = ['cpu', 'cpu_steal', 'network', 'network_rx', 'network_tx', 'network_errors'];
const LEVELS = ['load', 'memory', 'swap', 'filesystem'];

let root: FakeRoot;
let clock: FakeClock;
let ticks = 0;
sourceConformance({
  name: 'procfs on a fake root',
  create: () => {
    root = fresh(procFiles());
    clock = new FakeClock();
    return new ProcfsSource({
      root: root.path,
      sysRoot: root.path,
      cgroupRoot: `${root.path}/none`,
      clock,
      statfs: () => ({ blocks: 100, bfree: 60, bavail: 40 }),
    });
  },
  between: async () => {
    ticks += 10;
    clock.advance(5000);
    root.write('stat', STAT.replace('2863', String(2863 + ticks)));
    root.write('net/dev', netDev({ lo: [1, 1, 0], eth0: [1000 + ticks, 500, 0] }));
  },
  rates: [...RATES, 'cpu_iowait', 'pressure_cpu', 'pressure_memory', 'pressure_io', 'disk_busy', 'disk_read'],
  levels: LEVELS,
});

// A host's CPU counters move every 10 ms.
const between = () => pause(60);

if (existsSync('/proc/stat'))
  sourceConformance({
    name: 'procfs on this host',
    create: () => new ProcfsSource({ view: 'host', networkInclude: ['*'] }),
    between,
    rates: [...RATES, 'cpu_iowait'],
    levels: ['load', 'memory', 'swap'],
  });

sourceConformance({
  name: 'systeminformation on this host',
  create: () => new SystemInformationSource({ networkInclude: ['*'] }),
  between,
  rates: ['cpu'],
  levels: ['load', 'memory', 'swap'],
});

sourceConformance({
  name: 'replay',
  create: () => {
    const file = fresh({ 'a.csv': 'timestamp,cpu,extra\n1,2,3\n2,,4\n3,5,NaN\n' }).path;
    return new ReplaySource({ files: [`${file}/a.csv`] });
  },
  rates: [],
  levels: ['cpu', 'extra'],
});
