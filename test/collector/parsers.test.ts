import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counterDelta } from '../../collector/counter.ts';
import { chooseInterfaces } from '../../collector/interfaces.ts';
import { parseProcessStat } from '../../collector/processes.ts';
import {
  cgroupCpuPercent,
  cgroupMemoryPercent,
  parseCpuMax,
  parseMemoryMax,
} from '../../collector/procfs/cgroup.ts';
import { type CpuTimes, countCpus, cpuRates, parseCpu } from '../../collector/procfs/cpu.ts';
import { diskRates, parseDisks, wholeDisks } from '../../collector/procfs/disk.ts';
import { parseLoad } from '../../collector/procfs/load.ts';
import { memoryPercents, parseMemory } from '../../collector/procfs/memory.ts';
import { fullestPercent, parseMounts, usedPercent } from '../../collector/procfs/mounts.ts';
import { networkRates, parseNetwork } from '../../collector/procfs/network.ts';
import { parsePressure, pressurePercent } from '../../collector/procfs/pressure.ts';
import { diskLine, MEMINFO, MOUNTS, netDev, psi, STAT } from './support.ts';

const cpu = (change: Partial<CpuTimes> = {}): CpuTimes => ({
  user: 100,
  nice: 0,
  system: 100,
  idle: 1000,
  iowait: 50,
  irq: 0,
  softirq: 0,
  steal: 0,
  ...change,
});

describe('cpu', () => {
  it('reads the first line, and counts the online CPUs', () => {
    expect(parseCpu(STAT)).toEqual({
      user: 2863,
      nice: 0,
      system: 2624,
      idle: 1199617,
      iowait: 220,
      irq: 0,
      softirq: 42,
      steal: 8,
    });
    expect(countCpus(STAT)).toBe(2);
    const many = Array.from({ length: 256 }, (_, i) => `cpu${i} 1 2 3 4 5 6 7 8 9 10`).join('\n');
    expect(countCpus(`cpu  1 2 3 4\n${many}\nintr 1\n`)).toBe(256);
  });

  it('reads a kernel 2.4 line without the later columns, and refuses what is none', () => {
    expect(parseCpu('cpu  1 2 3 4\n')).toMatchObject({ iowait: 0, steal: 0 });
    expect(parseCpu('cpu0 1 2 3 4\n')).toBeNull();
    expect(parseCpu('cpu  1 2\ncpu0 1 2 3 4')).toBeNull();
  });

  it('counts a guest once: its ticks are inside user', () => {
    const before = parseCpu('cpu  100 0 0 100 0 0 0 0 100 0')!;
    const after = parseCpu('cpu  150 0 0 150 0 0 0 0 150 0')!;
    expect(cpuRates(before, after, 1000).busy).toBe(50);
  });

  it('parts busy, iowait and steal', () => {
    const rates = cpuRates(cpu(), cpu({ user: 120, iowait: 80, steal: 10, idle: 1040 }), 1000);
    expect(rates).toEqual({ busy: 20, iowait: 30, steal: 10, backwards: 0, reset: 0 });
  });

  it('takes an iowait that went backwards as unchanged, and counts it', () => {
    const rates = cpuRates(cpu(), cpu({ user: 150, iowait: 40, idle: 1050 }), 1000);
    expect(rates).toMatchObject({ busy: 50, iowait: 0, backwards: 1 });
  });

  it('has no rates after a reset, on the first reading, and without a tick', () => {
    expect(cpuRates(cpu(), cpu({ user: 1 }), 1000)).toMatchObject({ busy: Number.NaN, reset: 1 });
    expect(cpuRates(null, cpu(), 1000).busy).toBeNaN();
    expect(cpuRates(cpu(), cpu(), 1000).busy).toBeNaN();
    expect(cpuRates(cpu(), cpu({ user: 200 }), Number.NaN).busy).toBeNaN();
  });
});

describe('memory', () => {
  it('is what is not available; swap is 0 where there is none', () => {
    const { memory, swap } = memoryPercents(parseMemory(MEMINFO));
    expect(memory).toBeCloseTo(((24684092 - 24433516) / 24684092) * 100, 10);
    expect(swap).toBe(0);
  });

  it('falls back on kernels without MemAvailable', () => {
    const old =
      'MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 150 kB\nSwapTotal: 200 kB\nSwapFree: 50 kB\n';
    expect(memoryPercents(parseMemory(old))).toEqual({ memory: 70, swap: 75 });
  });
});

describe('network', () => {
  const chosen = new Set(['eth0', 'eth1']);
  const at = (devices: Parameters<typeof netDev>[0]) => parseNetwork(netDev(devices));

  it('reads every interface, with counters that touch the colon', () => {
    const text = 'head|\n face|\n  eth0:18446744073709551615 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\nbad: 1 2\n';
    const interfaces = parseNetwork(text);
    expect([...interfaces.keys()]).toEqual(['eth0']);
    expect(interfaces.get('eth0')).toEqual({ rxBytes: 2 ** 64, txBytes: 8, errors: 2 + 3 + 10 + 11 });
  });

  it('sums bytes and errors per second', () => {
    const rates = networkRates(
      at({ lo: [0, 0, 0], eth0: [0, 0, 0], eth1: [10, 10, 0] }),
      at({ lo: [9e9, 9e9, 9], eth0: [2000, 500, 4], eth1: [1010, 10, 0] }),
      2000,
      chosen,
    );
    expect(rates).toMatchObject({ rx: 1500, tx: 250, errors: 2 });
  });

  it('neither spikes nor hides when interfaces come and go', () => {
    const rates = networkRates(
      at({ eth0: [0, 0, 0] }),
      at({ eth0: [1000, 0, 0], eth1: [9e12, 9e12, 0] }),
      1000,
      chosen,
    );
    expect(rates).toMatchObject({ rx: 1000, tx: 0 });
    expect(networkRates(at({ eth1: [9e12, 0, 0] }), at({ eth0: [1, 1, 0] }), 1000, chosen).rx).toBeNaN();
  });

  it('repairs a 32-bit wrap, and gives NaN for the rate that was reset', () => {
    const wrapped = networkRates(
      at({ eth0: [2 ** 32 - 100, 0, 0] }),
      at({ eth0: [900, 0, 0] }),
      1000,
      chosen,
    );
    expect(wrapped).toMatchObject({ rx: 1000, tx: 0, repairs: { wrapped: 1, reset: 0 } });
    const reset = networkRates(at({ eth0: [5e6, 0, 0] }), at({ eth0: [10, 7, 0] }), 1000, chosen);
    expect(reset).toMatchObject({ rx: Number.NaN, tx: 7, repairs: { wrapped: 0, reset: 1 } });
  });

  it('chooses physical interfaces, tunnels only where nothing else is', () => {
    const names = ['lo', 'eth0', 'docker0', 'br-1a', 'veth1', 'tun0', 'ifb0', 'dummy0', 'virbr0', 'wlan0'];
    expect([...chooseInterfaces(names)]).toEqual(['eth0', 'wlan0']);
    expect([...chooseInterfaces(['lo', 'tap0'])]).toEqual(['tap0']);
    expect([...chooseInterfaces(names, { include: ['lo', 'eth*'] })]).toEqual(['lo', 'eth0']);
    expect([...chooseInterfaces(names, { exclude: ['wlan*'] })]).toEqual(['eth0']);
    expect([...chooseInterfaces(['bond0', 'eth0', 'eth1'], {}, new Set(['eth0', 'eth1']))]).toEqual([
      'bond0',
    ]);
  });
});

describe('pressure', () => {
  it('is the share of the elapsed time from the total', () => {
    expect(parsePressure(psi(8853857))).toBe(8853857);
    const repairs = { wrapped: 0, reset: 0 };
    expect(pressurePercent(0, 250_000, 1000, repairs)).toBe(25);
    expect(pressurePercent(0, 9e9, 1000, repairs)).toBe(100);
    expect(pressurePercent(100, 0, 1000, repairs)).toBeNaN();
    expect(repairs.reset).toBe(1);
  });

  it('refuses a text without a "some" total', () => {
    expect(parsePressure('full avg10=0 total=3\n')).toBeNaN();
    expect(parsePressure('some avg10=0\nfull total=3\n')).toBeNaN();
  });
});

describe('disk', () => {
  it('tells whole disks from partitions and stacked devices', () => {
    const names = [
      'sda',
      'sda1',
      'sda12',
      'nvme0n1',
      'nvme0n1p1',
      'mmcblk0',
      'mmcblk0p1',
      'mmcblk0boot0',
      'vda',
    ];
    const others = ['xvda1', 'dm-0', 'md0', 'loop0', 'zram0', 'sr0', 'nbd0'];
    expect([...wholeDisks([...names, ...others])]).toEqual([
      'sda',
      'nvme0n1',
      'mmcblk0',
      'vda',
      'xvda1',
      'nbd0',
    ]);
  });

  it('gives the busiest disk and the sums; io_ticks wraps at 32 bits', () => {
    const before = parseDisks(diskLine('sda', 0, 0, 2 ** 32 - 100) + diskLine('sdb', 0, 0, 0));
    const after = parseDisks(diskLine('sda', 4, 2, 400) + diskLine('sdb', 0, 2, 100));
    const rates = diskRates(before, after, 1000, new Set(['sda', 'sdb']));
    expect(rates).toEqual({ busy: 50, read: 2048, write: 2048, repairs: { wrapped: 1, reset: 0 } });
  });

  it('has no rates where no disk stands in both readings', () => {
    expect(diskRates(new Map(), parseDisks(diskLine('sda', 1, 1, 1)), 1000, new Set(['sda'])).busy).toBeNaN();
  });
});

describe('mounts', () => {
  it('keeps real, local, writable file systems, each device once', () => {
    expect(parseMounts(MOUNTS)).toEqual(['/', '/mnt/my data']);
  });

  it("is df's percentage; one that can't be asked is counted", () => {
    expect(usedPercent({ blocks: 100, bfree: 60, bavail: 40 })).toBe(50);
    expect(usedPercent({ blocks: 0, bfree: 0, bavail: 0 })).toBeNaN();
    const statfs = (path: string) => {
      if (path === '/b') throw new Error('gone');
      return path === '/a' ? { blocks: 10, bfree: 9, bavail: 9 } : { blocks: 10, bfree: 1, bavail: 1 };
    };
    expect(fullestPercent(['/a', '/b', '/c'], statfs)).toEqual({ percent: 90, unreadable: 1 });
    expect(fullestPercent([], statfs).percent).toBeNaN();
  });
});

describe('load and cgroup', () => {
  it('reads the 1-minute average', () => {
    expect(parseLoad('12.05 0.08 0.02 1/88 4871\n')).toBeCloseTo(12.05, 10);
    expect(parseLoad('x')).toBeNaN();
  });

  it('reads limits and takes shares of them', () => {
    expect(parseCpuMax('150000 100000\n')).toBe(1.5);
    expect(parseCpuMax('max 100000\n')).toBe(Number.POSITIVE_INFINITY);
    expect(parseMemoryMax('max\n')).toBe(Number.POSITIVE_INFINITY);
    expect(parseMemoryMax('1048576\n')).toBe(1048576);
    expect(cgroupCpuPercent(0, 750_000, 1000, 1.5)).toBe(50);
    expect(cgroupMemoryPercent(900, 400, 1000)).toBe(50);
    expect(cgroupMemoryPercent(900, Number.NaN, Number.NaN)).toBeNaN();
  });
});

describe('hostile texts', () => {
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({
      unit: fc.constantFrom(
        'cpu',
        ' ',
        '\n',
        '1',
        '9999999999',
        ':',
        'eth0',
        'some total=',
        '-',
        '|',
        '/',
        'MemTotal:',
        '(',
        ')',
        '.',
        'sda',
      ),
    }),
  );
  const fine = (value: number) => {
    if (!Number.isNaN(value)) expect(Number.isFinite(value) && value >= 0).toBe(true);
  };

  it('never throws, and every rate is NaN or a finite number that is not negative', () => {
    fc.assert(
      fc.property(text, text, fc.double({ min: 0, max: 1e7 }), (a, b, elapsedMs) => {
        const times = parseCpu(b);
        if (times) {
          const { busy, iowait, steal } = cpuRates(parseCpu(a), times, elapsedMs);
          for (const value of [busy, iowait, steal]) fine(value);
        }
        const { memory, swap } = memoryPercents(parseMemory(a));
        fine(memory);
        fine(swap);
        const network = parseNetwork(b);
        const rates = networkRates(parseNetwork(a), network, elapsedMs, new Set(network.keys()));
        for (const value of [rates.rx, rates.tx, rates.errors]) fine(value);
        const disks = parseDisks(b);
        const disk = diskRates(parseDisks(a), disks, elapsedMs, wholeDisks(disks.keys()));
        for (const value of [disk.busy, disk.read, disk.write]) fine(value);
        fine(pressurePercent(parsePressure(a), parsePressure(b), elapsedMs, { wrapped: 0, reset: 0 }));
        fine(parseLoad(a));
        fine(countCpus(a));
        parseMounts(a);
        parseProcessStat(a);
        expect(parseCpuMax(a)).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it('a difference is never negative, and a forward one is exact', () => {
    const counter = fc.integer({ min: 0, max: 2 ** 33 });
    fc.assert(
      fc.property(counter, counter, (previous, current) => {
        const repairs = { wrapped: 0, reset: 0 };
        const delta = counterDelta(previous, current, repairs);
        if (current >= previous) expect(delta).toBe(current - previous);
        else expect(repairs.wrapped + repairs.reset).toBe(1);
        fine(delta);
      }),
    );
  });
});
