import { dirname } from 'node:path';
import type { Random } from '../../../core/random.ts';
import type { Operation } from './trace.ts';

/**
 * A disk as a power cut at any instant may leave it, after the file operations of a process: what was not fsynced is
 * there, gone, or torn, each by chance; names that no fsync has made durable are there up to some operation (a journal)
 * or any of them (none).
 */

const SECTOR = 512;

/** What names lead to. Hard links lead to the same. */
interface Inode {
  durable: Buffer;
  pending: Data[];
}
type Data = Extract<Operation, { kind: 'write' | 'truncate' }>;

/** `inode` null: the name is gone. A rename is one change of two names. */
interface Naming {
  readonly to: string;
  readonly inode: Inode | null;
  readonly from?: string;
}

export class Platter {
  /** As the process sees it. */
  readonly #live = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  #namings: Naming[] = [];

  /** @param before durable when the process begins */
  constructor(before: ReadonlyMap<string, Buffer> = new Map()) {
    for (const [path, bytes] of before) {
      const inode = { durable: bytes, pending: [] };
      this.#live.set(path, inode);
      this.#durable.set(path, inode);
    }
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'send':
        return;
      case 'create':
        if (this.#live.has(operation.path)) {
          const { path } = operation;
          if (operation.truncate) this.#inode(path).pending.push({ kind: 'truncate', path, length: 0 });
        } else this.#inode(operation.path);
        return;
      case 'link':
      case 'rename': {
        const inode = this.#live.get(operation.from);
        if (inode === undefined) return;
        const { from, to } = operation;
        this.#live.set(to, inode);
        if (operation.kind === 'rename') this.#live.delete(from);
        this.#namings.push(operation.kind === 'rename' ? { to, inode, from } : { to, inode });
        return;
      }
      case 'unlink':
        this.#live.delete(operation.path);
        this.#namings.push({ to: operation.path, inode: null });
        return;
      case 'sync':
        this.#sync(operation.path);
        return;
      default:
        this.#inode(operation.path).pending.push(operation);
    }
  }

  /** Made where there is none. */
  #inode(path: string): Inode {
    const known = this.#live.get(path);
    if (known !== undefined) return known;
    const inode: Inode = { durable: Buffer.alloc(0), pending: [] };
    this.#live.set(path, inode);
    this.#namings.push({ to: path, inode });
    return inode;
  }

  /** A synced file has its name, and a synced directory all of its names, and none of those that are gone. */
  #sync(path: string): void {
    const inode = this.#live.get(path);
    if (inode !== undefined) settle(inode, () => 1);
    const durable = (one: Naming): boolean =>
      inode === undefined ? dirname(one.to) === path : one.inode === inode && one.from === undefined;
    for (const one of this.#namings) if (durable(one)) name(this.#durable, one);
    this.#namings = this.#namings.filter((one) => !durable(one));
  }

  /** As the process sees it: nothing is lost. */
  asSeen(): Map<string, Buffer> {
    return new Map([...this.#live].map(([path, inode]) => [path, copyOf(inode, () => 1)]));
  }

  /** What is found after a cut at this instant. */
  afterCut(random: Random): Map<string, Buffer> {
    const names = new Map(this.#durable);
    const journal = random.float() < 0.5 ? random.uint32() % (this.#namings.length + 1) : null;
    for (const [i, one] of this.#namings.entries()) {
      if (journal === null ? random.float() < 0.5 : i < journal) name(names, one);
    }
    // Nothing, all, or any part of what was under way.
    const luck = random.float();
    const chance = (): number => (luck < 0.3 ? 0 : luck < 0.5 ? 1 : Math.round(random.float() * 2) / 2);
    const found = new Map<Inode, Buffer>();
    for (const inode of new Set(names.values())) found.set(inode, copyOf(inode, chance));
    return new Map([...names].map(([path, inode]) => [path, found.get(inode) ?? Buffer.alloc(0)]));
  }
}

function name(names: Map<string, Inode>, { to, inode, from }: Naming): void {
  if (inode === null) names.delete(to);
  else names.set(to, inode);
  if (from !== undefined && names.get(from) === inode) names.delete(from);
}

function copyOf({ durable, pending }: Inode, chance: () => number): Buffer {
  const copy = { durable, pending: [...pending] };
  settle(copy, chance);
  return copy.durable;
}

/** @param chance that a sector was written, of each write */
function settle(inode: Inode, chance: () => number): void {
  for (const operation of inode.pending) {
    const whole = chance();
    if (whole <= 0) continue;
    if (operation.kind === 'truncate') inode.durable = resize(inode.durable, operation.length);
    else {
      const { at, bytes } = operation;
      const to = resize(inode.durable, Math.max(inode.durable.length, at + bytes.length));
      for (let from = 0; from < bytes.length; from += SECTOR) {
        if (whole >= 1 || chance() > 0.5)
          bytes.copy(to, at + from, from, Math.min(bytes.length, from + SECTOR));
      }
      inode.durable = to;
    }
  }
  inode.pending = [];
}

function resize(bytes: Buffer, length: number): Buffer {
  const out = Buffer.alloc(length);
  bytes.copy(out, 0, 0, Math.min(length, bytes.length));
  return out;
}
