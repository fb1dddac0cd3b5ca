import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../../collector/source.ts';

export class FakeClock implements Clock {
  wallMs = 1_700_000_000_000;
  monoMs = 1000;
  nowMs = () => this.wallMs;
  monotonicMs = () => this.monoMs;
  advance(ms: number): void {
    this.wallMs += ms;
    this.monoMs += ms;
  }
}

/** A directory with files, e.g. a fake /proc. */
export class FakeRoot {
  readonly path = mkdtempSync(join(tmpdir(), 'edgewood-collector-'));

  constructor(files: Readonly<Record<string, string | Buffer>> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string | Buffer): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true, force: true });
  }

  destroy(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Debian 12 in a virtual machine, 2 CPUs, 6.18. */
export const STAT = `cpu  2863 0 2624 1199617 220 0 42 8 0 0
cpu0 908 0 1043 600789 7 0 15 2 0 0
cpu1 1955 0 1581 598827 213 0 26 5 0 0
intr 359349 0 0 0 0
ctxt 798692
btime 1795462665
`;

export const MEMINFO = `MemTotal:       24684092 kB
MemFree:        24518420 kB
MemAvailable:   24433516 kB
Buffers:             540 kB
Cached:            16720 kB
SwapCached:            0 kB
SwapTotal:             0 kB
SwapFree:              0 kB
`;

const DEV_HEAD = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;

/** One line a device: rx bytes, tx bytes, errors. */
export const netDev = (devices: Readonly<Record<string, readonly [number, number, number]>>): string =>
  DEV_HEAD +
  Object.entries(devices)
    .map(
      ([name, [rx, tx, errors]]) =>
        `${name.padStart(6)}: ${rx} 7333 ${errors} 0 0 0 0 0 ${tx} 4403 0 0 0 0 0 0\n`,
    )
    .join('');

export const psi = (micros: number): string =>
  `some avg10=0.00 avg60=0.15 avg300=0.38 total=${micros}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`;

export const diskLine = (name: string, read: number, written: number, busyMs: number): string =>
  ` 254       0 ${name} 31653 8076 ${read} 9517 2716 16709 ${written} 3977 0 ${busyMs} 13660 3231 29 93440 157 212 7\n`;

export const MOUNTS = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw,discard
28 27 254:0 /etc/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw,discard
29 27 254:16 / /mnt/my\\040data rw - xfs /dev/vdb rw
30 27 0:40 / /nfs rw - nfs4 server:/x rw
31 27 7:0 / /snap/core ro,nodev - squashfs /dev/loop0 ro
32 27 11:0 / /cd ro - ext4 /dev/sr0 ro
33 27 0:22 / /dev/shm rw - tmpfs tmpfs rw
`;

/** A whole /proc. */
export const procFiles = (): Record<string, string> => ({
  stat: STAT,
  meminfo: MEMINFO,
  loadavg: '0.10 0.08 0.02 1/88 4871\n',
  uptime: '6000.00 11000.00\n',
  'net/dev': netDev({ lo: [1, 1, 0], eth0: [1000, 500, 0] }),
  'pressure/cpu': psi(1000),
  'pressure/memory': psi(0),
  'pressure/io': psi(50),
  diskstats: diskLine('vda', 100, 200, 300),
  'self/mountinfo': MOUNTS,
  'self/cgroup': '0::/\n',
});
