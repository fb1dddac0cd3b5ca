import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Who this host is. Its id is the configured one, else one that was drawn for it (`identity renew`), else its machine id
 * hashed with the site, as machine-id(5) asks for (the machine id itself is never shown), else one drawn at random.
 * What it was last time, and on which hardware, lies in the state directory: a copy of a machine, which would give
 * numbers that the original has given, is noticed by network interfaces that are all others than before.
 */
export interface IdentityRecord {
  readonly hostId: string;
  readonly site: string;
  /** Hardware addresses of its physical network interfaces, hashed; sorted. */
  readonly hardware: readonly string[];
  /** Drawn for it: takes the place of what the machine id gives. */
  readonly drawn?: string;
  /** It looks like a copy of another machine, and nobody has said otherwise. */
  readonly suspect?: true;
}

export type IdentityChange = 'renamed' | 'cloned';

export interface Identity {
  readonly record: IdentityRecord;
  readonly from: 'configuration' | 'drawn' | 'machine-id' | 'random';
  /** Since the last start: a new epoch has to begin. */
  readonly change: IdentityChange | null;
  readonly before: IdentityRecord | null;
}

export interface IdentityFacts {
  readonly configured: string | null;
  readonly site: string;
  readonly machineId: string | null;
  readonly hardware: readonly string[];
  readonly known: IdentityRecord | null;
  readonly drawId: () => string;
}

/** @param facts all that is known; nothing is read or written here */
export function decideIdentity({
  configured,
  site,
  machineId,
  hardware,
  known,
  drawId,
}: IdentityFacts): Identity {
  const derived = hostIdFrom(machineId, site);
  const [hostId, from] =
    configured !== null
      ? ([configured, 'configuration'] as const)
      : known?.drawn !== undefined
        ? ([known.drawn, 'drawn'] as const)
        : derived !== null
          ? ([derived, 'machine-id'] as const)
          : ([known?.hostId ?? drawId(), 'random'] as const);
  // Without interfaces (a container) there is nothing to compare; one that stays is enough: cards are replaced.
  const moved =
    known !== null &&
    known.hardware.length > 0 &&
    hardware.length > 0 &&
    !hardware.some((address) => known.hardware.includes(address));
  const other = known !== null && (known.hostId !== hostId || known.site !== site);
  const change = moved ? 'cloned' : other ? 'renamed' : null;
  // With an id of its own, a copy is told from its original.
  const suspect = (moved || known?.suspect === true) && !other;
  return {
    record: {
      hostId,
      site,
      hardware: hardware.length > 0 ? hardware : (known?.hardware ?? []),
      ...(known?.drawn !== undefined && { drawn: known.drawn }),
      ...(suspect && { suspect: true }),
    },
    from,
    change,
    before: known,
  };
}

export function hostIdFrom(machineId: string | null, site: string): string | null {
  if (machineId === null) return null;
  return createHash('sha256').update(`edgewood\0${site}\0${machineId}`).digest('hex').slice(0, 16);
}

export function readMachineId(
  paths: readonly string[] = ['/etc/machine-id', '/var/lib/dbus/machine-id'],
): string | null {
  for (const path of paths) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (/^[0-9a-f]{32}$/.test(id)) return id;
    } catch {
      // The next path, then the random id: a container often has none.
    }
  }
  return null;
}

/** Hashed addresses of the interfaces that are devices, not bridges, tunnels or a container's. */
export function readHardware(root = '/sys/class/net'): string[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    return [];
  }
  const addresses = names.flatMap((name) => {
    try {
      if (!existsSync(join(root, name, 'device'))) return [];
      const address = readFileSync(join(root, name, 'address'), 'utf8')
        .trim()
        .toLowerCase();
      return /^(?!00:00:00:00:00:00$)([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) ? [address] : [];
    } catch {
      return []; // It has gone meanwhile.
    }
  });
  return [...new Set(addresses)].map((address) => hashed(address)).sort();
}

const hashed = (text: string): string =>
  createHash('sha256').update(`edgewood\0${text}`).digest('hex').slice(0, 16);

const FILE = 'identity.json';

/** Null where there is none, or none that can be read: then this is a first start. */
export function readIdentity(stateDir: string): IdentityRecord | null {
  try {
    const found = JSON.parse(readFileSync(join(stateDir, FILE), 'utf8')) as Partial<IdentityRecord>;
    const { hostId, site, hardware } = found;
    if (typeof hostId !== 'string' || typeof site !== 'string' || !Array.isArray(hardware)) return null;
    return found as IdentityRecord;
  } catch {
    return null;
  }
}

/** Whole or not at all. @throws Error where the directory can't be written */
export function writeIdentity(stateDir: string, record: IdentityRecord): void {
  const file = join(stateDir, FILE);
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o640 });
  renameSync(`${file}.new`, file);
}
