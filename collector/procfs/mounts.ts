import { clampPercent } from '../counter.ts';

/** What statfs(2) says, in blocks. */
export interface FilesystemBlocks {
  readonly blocks: number;
  readonly bfree: number;
  /** Free for those who aren't root. */
  readonly bavail: number;
}

export type Statfs = (path: string) => FilesystemBlocks;

/**
 * Real and local. Anything else is skipped: statfs on a network file system (nfs, cifs, ceph, fuse) can hang for
 * ever in the kernel, pseudo file systems have no fill, and squashfs, iso9660 and erofs are always full.
 */
const LOCAL = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'f2fs',
  'zfs',
  'bcachefs',
  'jfs',
  'nilfs2',
  'reiserfs',
  'vfat',
  'exfat',
  'ntfs3',
  'ubifs',
  'jffs2',
  'overlay',
]);

/** A host with more (one mount a container) is judged by the first of them. */
const MOUNTS_MAX = 32;

/**
 * The mount points to ask, from /proc/self/mountinfo (proc(5)): local, writable, and each device once. Writable is a
 * property of the file system, not of the mount: a service whose sandbox shows it every mount read-only
 * (ProtectSystem=strict) still has to see that a disk fills up.
 */
export function parseMounts(text: string): string[] {
  const points = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const point = mount.split(' ')[4];
    const [type, device, options] = filesystem.split(' ');
    if (!device || !point || !type || !options) continue;
    if (!LOCAL.has(type) || options === 'ro' || options.startsWith('ro,')) continue;
    // Overlays all name the device "overlay" and stand on a file system that is listed too, save in a container.
    if (!points.has(device) && points.size < MOUNTS_MAX) points.set(device, unescapeOctal(point));
  }
  return [...points.values()];
}

/** Blanks in mount points are written \040. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** df's percentage: used / (used + available to users). NaN for one without blocks. */
export function usedPercent({ blocks, bfree, bavail }: FilesystemBlocks): number {
  const used = blocks - bfree;
  return used + bavail > 0 ? clampPercent((used / (used + bavail)) * 100) : Number.NaN;
}

/** Percent of the fullest; NaN where none could be asked. */
export function fullestPercent(
  mounts: readonly string[],
  statfs: Statfs,
): { percent: number; unreadable: number } {
  let percent = Number.NaN;
  let unreadable = 0;
  for (const mount of mounts) {
    try {
      const used = usedPercent(statfs(mount));
      if (!(used <= percent) && !Number.isNaN(used)) percent = used;
    } catch {
      unreadable++;
    }
  }
  return { percent, unreadable };
}
