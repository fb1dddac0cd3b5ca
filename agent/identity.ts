import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * The host's id: its machine id hashed with the site, as machine-id(5) asks for (the machine id itself is never
 * shown). Without one, a random id kept in the store.
 */
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
