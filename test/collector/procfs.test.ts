import { afterEach, describe, expect, it } from 'vitest';
import { type ProcfsOptions, ProcfsSource } from '../../collector/procfs/source.ts';
import { SourceError } from '../../collector/source.ts';
import { diskLine, FakeClock, FakeRoot, netDev, procFiles, psi, STAT } from './support.ts';

let root: FakeRoot;
afterEach(() => root?.destroy());

async function opened(files = procFiles(), options: ProcfsOptions = {}) {
  root = new FakeRoot(files);
  const clock = new FakeClock();
  const source = new ProcfsSource({
    root: root.path,
    sysRoot: root.path,
    cgroupRoot: `${root.path}/cgroup`,
    clock,
    intervalMs: 1000,
    statfs: () => ({ blocks: 100, bfree: 25, bavail: 25 }),
    ...options,
  });
  await source.open();
  const read = async () => {
    const { values } = await source.read();
    return Object.fromEntries(source.schema.map((metric, index) => [metric.name, values[index]!]));
  };
  return { source, clock, read };
}

describe('procfs on a fake root', () => {
  it('reads every family', async () => {
    const { read, clock, source } = await opened();
    await read();
    clock.advance(1000);
    root.write('stat', STAT.replace('2863 0 2624 1199617 220', '2913 0 2624 1199657 230'));
    root.write('net/dev', netDev({ lo: [9, 9, 9], eth0: [3000, 600, 5] }));
    root.write('pressure/cpu', psi(101_000));
    root.write('diskstats', diskLine('vda', 102, 204, 800));
    expect(await read()).toEqual({
      cpu: 50,
      cpu_iowait: 10,
      cpu_steal: 0,
      load: 0.05,
      memory: expect.closeTo(1.015, 2),
      swap: 0,
      network: 2100,
      network_rx: 2000,
      network_tx: 100,
      network_errors: 5,
      pressure_cpu: 10,
      pressure_memory: 0,
      pressure_io: 0,
      disk_busy: 50,
      disk_read: 1024,
      disk_write: 2048,
      filesystem: 75,
    });
    expect(source.faults()).toEqual({});
  });

  it('leaves NaN and counts where a kernel has no PSI, and finds a family that comes back', async () => {
    const files = procFiles();
    for (const name of ['cpu', 'memory', 'io']) delete files[`pressure/${name}`];
    const { read, clock, source } = await opened(files);
    expect((await read()).pressure_cpu).toBeNaN();
    for (const name of ['cpu', 'memory', 'io']) root.write(`pressure/${name}`, psi(0));
    root.write('loadavg', 'nonsense');
    for (let i = 0; i < 62; i++) {
      clock.advance(1000);
      await read();
    }
    root.write('loadavg', '1.00 0 0');
    clock.advance(1000);
    expect(await read()).toMatchObject({ pressure_cpu: 0, load: 0.5 });
    expect(source.faults()).toEqual({ pressureUnreadable: 61, loadUnreadable: 62 });
  });

  it('rejects only when nothing at all can be read, and refuses a host without /proc', async () => {
    const { read, source } = await opened({ stat: STAT });
    await read();
    root.write('stat', 'garbage');
    await expect(read()).rejects.toThrow();
    await source.close();
    await expect(new ProcfsSource({ root: `${root.path}/none` }).open()).rejects.toThrow(SourceError);
    await expect(new ProcfsSource().read()).rejects.toThrow('before open');
  });

  it('gives NaN rates once after a suspend, and knows it from a clock that was set', async () => {
    const { read, clock, source } = await opened();
    const tick = async (monoMs: number, wallMs: number, uptimeS: number) => {
      clock.monoMs += monoMs;
      clock.wallMs += wallMs;
      root.write('uptime', `${uptimeS}.00 1.00\n`);
      return (await read()).network!;
    };
    await read();
    expect(await tick(1000, 1000, 6001)).toBe(0);
    // An hour of sleep: the wall clock and the time since boot went on.
    expect(await tick(1000, 3_601_000, 9602)).toBeNaN();
    expect(await tick(1000, 1000, 9603)).toBe(0);
    expect(source.faults()).toEqual({ suspendResumed: 1 });
    // Set back, then forth: rates divide by the monotonic clock and stay.
    expect(await tick(1000, -50_000, 9604)).toBe(0);
    expect(await tick(1000, 90_000, 9605)).toBe(0);
    expect(source.faults()).toEqual({ suspendResumed: 1, clockStepped: 2 });
    // Stopped (SIGSTOP, a paused machine): all clocks went on.
    expect(await tick(60_000, 60_000, 9665)).toBeNaN();
    expect(await tick(1000, 1000, 9666)).toBe(0);
    expect(source.faults().suspendResumed).toBe(2);
    root.remove('uptime');
    clock.wallMs += 3_600_000;
    clock.advance(1000);
    expect((await read()).network).toBeNaN();
  });

  it('counts wraps and resets, and a last interface that goes is silence', async () => {
    const files = { ...procFiles(), 'net/dev': netDev({ eth0: [2 ** 32 - 10, 500, 0] }) };
    const { read, clock, source } = await opened(files);
    await read();
    clock.advance(1000);
    root.write('net/dev', netDev({ eth0: [90, 400, 0] }));
    expect(await read()).toMatchObject({ network_rx: 100, network_tx: Number.NaN });
    expect(source.faults()).toEqual({ counterWrapped: 1, counterReset: 1 });
    clock.advance(1000);
    root.write('net/dev', netDev({ lo: [5, 5, 0] }));
    expect((await read()).network).toBe(0);
  });

  it('leaves out bond slaves, VLANs and bridges; a demo may count lo', async () => {
    const devices = {
      lo: 1,
      bond0: 10,
      eth0: 100,
      eth1: 1000,
      'eth2.5': 10_000,
      eth2: 100_000,
      mybridge: 1e6,
    };
    const dev = (factor: number) =>
      netDev(
        Object.fromEntries(Object.entries(devices).map(([name, value]) => [name, [value * factor, 0, 0]])),
      );
    const files = {
      ...procFiles(),
      'net/dev': dev(1),
      'net/bonding/bond0': 'Slave Interface: eth0\nMII Status: up\n\nSlave Interface: eth1\n',
      'net/vlan/eth2.5': '',
      'class/net/mybridge/bridge/x': '',
    };
    const { read, clock } = await opened(files);
    await read();
    clock.advance(1000);
    root.write('net/dev', dev(2));
    expect((await read()).network_rx).toBe(100_010);
    root.destroy();
    const withLo = await opened(files, { networkInclude: ['lo'] });
    await withLo.read();
    withLo.clock.advance(1000);
    root.write('net/dev', dev(3));
    expect((await withLo.read()).network_rx).toBe(2);
  });

  it('reads files longer than a page and than its buffer', async () => {
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`eth${i}`, [i, 0, 0] as const]));
    const { read, clock } = await opened({ ...procFiles(), 'net/dev': netDev(many) });
    await read();
    clock.advance(1000);
    root.write('net/dev', netDev({ ...many, eth899: [899 + 77, 0, 0] }));
    expect((await read()).network_rx).toBe(77);
  });
});

describe('cgroup view', () => {
  const group = {
    'cgroup/cgroup.controllers': 'cpu memory\n',
    'cgroup/cpu.stat': 'usage_usec 1000000\nuser_usec 1\n',
    'cgroup/cpu.max': '50000 100000\n',
    'cgroup/memory.current': '600000000\n',
    'cgroup/memory.stat': 'anon 5\ninactive_file 100000000\n',
    'cgroup/memory.max': '1000000000\n',
    'cgroup/memory.swap.max': '0\n',
  };

  it('takes CPU and memory against the limits of the container', async () => {
    const { read, clock, source } = await opened({ ...procFiles(), ...group });
    expect(await read()).toMatchObject({ cpu: Number.NaN, memory: 50, swap: 0 });
    clock.advance(1000);
    root.write('cgroup/cpu.stat', 'usage_usec 1250000\n');
    expect(await read()).toMatchObject({ cpu: 50, memory: 50 });
    expect(source.describe()).toContain('in a cgroup namespace; 0.5 CPUs, 954 MiB');
  });

  it('takes the host without limits, and its own pressure where the group has it', async () => {
    const files: Record<string, string> = { ...procFiles(), ...group, 'cgroup/memory.swap.max': 'max\n' };
    files['cgroup/cpu.max'] = 'max 100000\n';
    files['cgroup/memory.max'] = 'max\n';
    for (const name of ['cpu', 'memory', 'io']) files[`cgroup/${name}.pressure`] = psi(0);
    const { read, clock } = await opened(files);
    await read();
    clock.advance(1000);
    root.write('cgroup/cpu.stat', 'usage_usec 1500000\n');
    root.write('cgroup/cpu.pressure', psi(500_000));
    const values = await read();
    expect(values).toMatchObject({ cpu: 25, swap: Number.NaN, pressure_cpu: 50 });
    expect(values.memory).toBeCloseTo(5e8 / 24684092 / 1024 / 0.01, 6);
  });

  it.each<[string, Record<string, string>, ProcfsOptions['view'], string]>([
    ['a host: its root has no memory.current', { 'cgroup/memory.current': '' }, 'auto', 'not in a container'],
    [
      'a systemd service',
      { 'self/cgroup': '0::/system.slice/edgewood.service\n' },
      'auto',
      'not in a container',
    ],
    ['cgroup v1', { 'cgroup/cgroup.controllers': '' }, 'auto', 'no cgroup v2'],
    ['configured', {}, 'host', 'as configured'],
    ['no path', { 'self/cgroup': '1:cpu:/\n' }, 'auto', 'names no cgroup v2'],
  ])('stays with the host: %s', async (_, change, view, why) => {
    const files = { ...procFiles(), ...group, ...change };
    const present = Object.fromEntries(Object.entries(files).filter(([, text]) => text !== ''));
    const { source } = await opened(present, { view: view! });
    expect(source.describe()).toContain('host view');
    expect(source.describe()).toContain(why);
  });

  it('knows a container by its path, where the namespace is the host’s', async () => {
    const path = '/system.slice/docker-0123.scope';
    const moved = Object.fromEntries(
      Object.entries(group).map(([name, text]) => [name.replace('cgroup/', `cgroup${path}/`), text]),
    );
    const files = {
      ...procFiles(),
      ...moved,
      'self/cgroup': `0::${path}\n`,
      'cgroup/cgroup.controllers': 'cpu\n',
    };
    const { source, read } = await opened(files);
    expect((await read()).memory).toBe(50);
    expect(source.describe()).toContain('in the container');
  });
});
