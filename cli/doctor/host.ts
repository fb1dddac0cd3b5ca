import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AgentConfig } from '../../agent/config/config.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

const MB = 1e6;
const LITTLE_DISK_BYTES = 200 * MB;
const LITTLE_MEMORY_BYTES = 200 * MB;
/** statfs(2): file systems over a network, on which SQLite's locks and syncs can't be relied on. */
const NETWORK_FILESYSTEMS: Readonly<Record<number, string>> = {
  26985: 'nfs',
  4283649346: 'cifs',
  4266872130: 'smb2',
  16914839: '9p',
  1702057286: 'fuse',
};
const TIME_ERROR = 5;
/** struct timex of 64-bit Linux. */
const TIMEX_BYTES = 208;

export async function checkHost(config: AgentConfig): Promise<Finding[]> {
  return [
    ...checkStateDirectory(config),
    ...checkLogFile(config),
    ...(await checkClock()),
    ...checkMemory(),
    ...checkKernel(),
  ];
}

export function checkStateDirectory({ stateDir, limits }: AgentConfig): Finding[] {
  const area = 'state';
  if (!existsSync(stateDir)) {
    return [note(area, `${stateDir} is not there yet`, { mend: 'the agent makes it at its first start' })];
  }
  const about = statSync(stateDir);
  if (!about.isDirectory()) {
    return [
      problem(area, `${stateDir} is no directory`, {
        why: 'the agent does not start with it',
        mend: 'move the file away, or name another directory (stateDir)',
      }),
    ];
  }
  const findings: Finding[] = [];
  const { mode, uid } = about;
  if ((mode & 0o007) !== 0) {
    findings.push(
      warning(area, `${stateDir} is open to everybody (mode ${(mode & 0o777).toString(8)})`, {
        why: 'what this host does is nobody else’s business, and whoever can write there can change what the agent knows',
        mend: `chmod o-rwx ${stateDir}`,
      }),
    );
  }
  const { type, bavail, bsize, files, ffree } = statfsSync(stateDir);
  const free = bavail * bsize;
  const network = NETWORK_FILESYSTEMS[type >>> 0];
  if (network !== undefined) {
    findings.push(
      warning(area, `${stateDir} lies on a network file system (${network})`, {
        why: 'its locks and syncs can’t be relied on: a crash may cost the database',
        mend: 'put the state directory on a local disk (stateDir)',
      }),
    );
  }
  const database = join(stateDir, 'edgewood.db');
  const used = [database, `${database}-wal`].reduce(
    (bytes, file) => bytes + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  const room = `${(free / MB).toFixed(0)} MB free where ${stateDir} lies, the database takes ${(used / MB).toFixed(1)} MB of at most ${(limits.databaseMaxBytes / MB).toFixed(0)}`;
  const why = 'with a full disk nothing is kept: history is lost, events wait in memory';
  const mend = 'make room, or lower retention.databaseBytes';
  if (free < LITTLE_DISK_BYTES) findings.push(problem(area, room, { why, mend }));
  else if (free < limits.databaseMaxBytes - used) findings.push(warning(area, room, { why, mend }));
  else findings.push(ok(area, room));
  if (files > 0 && ffree < 1000)
    findings.push(warning(area, `only ${ffree} inodes are left`, { why, mend: 'remove small files' }));
  const own = process.getuid?.();
  if (own !== 0 && own !== uid) {
    findings.push(note(area, `${stateDir} belongs to user ${uid}: run as root to see all of it`));
  }
  return findings;
}

function checkLogFile({ logFile }: AgentConfig): Finding[] {
  if (logFile === null) return [];
  const folder = dirname(logFile);
  const about = statSync(folder, { throwIfNoEntry: false });
  if (about?.isDirectory() === true) return [ok('log', `goes to ${logFile}`)];
  return [
    problem('log', `${folder}, where ${logFile} is to lie, is no directory`, {
      why: 'the agent does not start without its log',
      mend: "make it, and give it to the agent's user",
    }),
  ];
}

async function checkClock(): Promise<Finding[]> {
  const area = 'clock';
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const zone = ok(
    area,
    `${new Date().toISOString().slice(0, 19)}Z, time zone ${timeZone} (nightly fits run between 2 and 5 there)`,
  );
  const state = await adjtimex();
  if (state === TIME_ERROR) {
    return [
      zone,
      warning(area, 'is not synchronised', {
        why: 'alerts and samples carry the time of this host, and certificates are checked against it',
        mend: 'timedatectl set-ntp true, or install chrony',
      }),
    ];
  }
  return [zone, ...(state === null ? [] : [ok(area, 'synchronised, says the kernel')])];
}

/** adjtimex(2) without changing anything: what the kernel thinks of its clock; null where it can't be asked. */
async function adjtimex(): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  try {
    const { dlopen } = await import('node:ffi');
    const { functions } = dlopen(null, { adjtimex: { arguments: ['buffer'], return: 'i32' } });
    const state = functions.adjtimex(new Uint8Array(TIMEX_BYTES));
    return state < 0 ? null : state;
  } catch {
    return null;
  }
}

function checkMemory(): Finding[] {
  const area = 'memory';
  const kilobytes = Number(/^MemAvailable:\s+(\d+)/m.exec(readOr('/proc/meminfo'))?.[1]);
  if (Number.isNaN(kilobytes)) return [];
  const available = kilobytes * 1024;
  const says = `${(available / MB).toFixed(0)} MB available; the agent takes about 40, and 75 while it learns`;
  return [
    available < LITTLE_MEMORY_BYTES
      ? warning(area, says, {
          why: 'the kernel may end a process to make room, and it may be this one',
          mend: 'find out who holds it: edgewood alerts show names the heaviest of each incident',
        })
      : ok(area, says),
  ];
}

function checkKernel(): Finding[] {
  const area = 'kernel';
  if (process.platform !== 'linux') {
    return [note(area, `${process.platform}: samples come from systeminformation, which is heavier`)];
  }
  const missing: [string, string, string][] = [
    [
      '/proc/pressure/cpu',
      'no pressure stall figures',
      'boot with psi=1 for the metrics cpu_pressure, memory_pressure and io_pressure',
    ],
    ['/proc/diskstats', 'no disk statistics', 'in a container, disks are left out'],
    ['/proc/self/smaps_rollup', 'no proportional memory figures', 'the agent’s own PSS is left out'],
  ];
  const notes = missing
    .filter(([path]) => readOr(path) === '')
    .map(([, says, mend]) => note(area, says, { mend }));
  const release = readOr('/proc/sys/kernel/osrelease').trim();
  return [ok(area, `Linux ${release}`), ...notes];
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
