import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import { Random } from '../../../core/random.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { eventfulRows, trainingRows } from './rows.ts';
import { type Operation, readTrace, runTraced } from './trace.ts';

/**
 * Power cuts of the packaged executable: one run is recorded, every write, fsync and packet of it; then the disk is
 * put together as a cut at any instant may leave it. What was not fsynced is there, gone, or torn, each by chance.
 */

const SECTOR = 512;

export interface PowerCutResult {
  readonly seed: number;
  readonly operations: number;
  readonly syncs: number;
  readonly published: number;
  readonly cuts: number;
  /** Cuts that fell behind the first publish. */
  readonly cutsAfterPublish: number;
  readonly notOpened: number;
  /** Published before the cut, and not in the store after it. */
  readonly publishedNotStored: number;
  /** Given before the cut and published, and given again after it. */
  readonly reused: number;
  readonly newEpochs: number;
  readonly passed: boolean;
}

interface File {
  durable: Buffer | null;
  pending: Operation[];
}

/** Files as they stand on the platter, and what is still on its way there. */
class Platter {
  readonly #files = new Map<string, File>();
  /** Names that no fsync of their directory has made durable. */
  #renames: { readonly from: string; readonly to: string }[] = [];

  apply(operation: Operation): void {
    if (operation.kind === 'send') return;
    if (operation.kind === 'rename') {
      this.#renames.push(operation);
      return;
    }
    const file = this.#file(operation.path);
    if (operation.kind !== 'sync') file.pending.push(operation);
    else {
      // A synced file has its name, and a synced directory all of its names.
      this.#settle(file, () => 1);
      for (const rename of this.#renames) if (dirname(rename.to) === operation.path) this.#rename(rename);
      this.#renames = this.#renames.filter(({ to }) => dirname(to) !== operation.path);
      for (const [path, one] of this.#files) if (dirname(path) === operation.path) syncEntry(one);
    }
  }

  #file(path: string): File {
    const named = this.#renames.find(({ to }) => to === path)?.from ?? path;
    const file = this.#files.get(named) ?? { durable: null, pending: [] };
    this.#files.set(named, file);
    return file;
  }

  #rename({ from, to }: { readonly from: string; readonly to: string }): void {
    const file = this.#files.get(from);
    if (file === undefined) return;
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  /** @param chance that a sector was written, of each write */
  #settle(file: File, chance: () => number): void {
    for (const operation of file.pending) {
      const whole = chance();
      if (whole <= 0) continue;
      if (operation.kind === 'create') {
        if (file.durable === null || operation.truncate) file.durable = Buffer.alloc(0);
      } else if (operation.kind === 'unlink') file.durable = null;
      else if (operation.kind === 'truncate') file.durable = resize(file.durable, operation.length);
      else if (operation.kind === 'write') {
        const { at, bytes } = operation;
        const to = resize(file.durable, Math.max(file.durable?.length ?? 0, at + bytes.length));
        for (let from = 0; from < bytes.length; from += SECTOR) {
          if (whole >= 1 || chance() > 0.5)
            bytes.copy(to, at + from, from, Math.min(bytes.length, from + SECTOR));
        }
        file.durable = to;
      }
    }
    file.pending = [];
  }

  /** What is found after a cut at this instant. */
  afterCut(random: Random): Map<string, Buffer> {
    const found = new Platter();
    for (const [path, { durable, pending }] of this.#files) {
      found.#files.set(path, {
        durable: durable === null ? null : Buffer.from(durable),
        pending: [...pending],
      });
    }
    // Nothing, all, or any part of what was under way.
    const luck = random.float();
    for (const file of found.#files.values()) {
      found.#settle(file, () => (luck < 0.3 ? 0 : luck < 0.5 ? 1 : Math.round(random.float() * 2) / 2));
    }
    for (const rename of this.#renames) if (random.float() < 0.5) found.#rename(rename);
    const left = new Map<string, Buffer>();
    for (const [path, { durable }] of found.#files) if (durable !== null) left.set(path, durable);
    return left;
  }
}

/** A synced directory has the names that are in it, and has forgotten those that are not. */
function syncEntry(file: File): void {
  const gone = file.pending.findLastIndex(({ kind }) => kind === 'unlink');
  if (gone >= 0) {
    file.durable = null;
    file.pending = file.pending.slice(gone + 1);
  }
  if (file.pending.length > 0) file.durable ??= Buffer.alloc(0);
}

function resize(bytes: Buffer | null, length: number): Buffer {
  const out = Buffer.alloc(length);
  bytes?.copy(out, 0, 0, Math.min(length, bytes.length));
  return out;
}

/** Ids of events in what was sent to the broker. */
const idsIn = (bytes: Buffer): string[] =>
  [...bytes.toString('latin1').matchAll(/"specversion":"1\.0","id":"([0-9a-z]+-\d+)"/g)].map(
    (match) => match[1] ?? '',
  );

export async function cutPower(cuts: number, seed: number): Promise<PowerCutResult> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-cut-'));
  const stateDir = join(work, 'state');
  const mosquitto = await startMosquitto();
  try {
    const log = join(work, 'trace');
    const recording = join(work, 'recording.csv');
    const agent = (file: string): string[] => [
      ...['agent', '--source', `replay:${file}`, '--pace', 'max', '--interval', '100ms', '--warmup', '50s'],
      ...['--refit', 'off', '--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--state-dir', stateDir],
    ];
    writeFileSync(recording, trainingRows() + eventfulRows(1).split('\n').slice(1).join('\n'));
    const code = await runTraced(agent(recording), log);
    if (code !== 0) throw new Error(`the traced agent ended with ${code}`);
    const operations = readTrace(log, stateDir);
    return judge(operations, stateDir, cuts, seed, work);
  } finally {
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function judge(
  operations: readonly Operation[],
  stateDir: string,
  cuts: number,
  seed: number,
  work: string,
): PowerCutResult {
  const random = new Random(seed);
  const instants = Array.from({ length: cuts }, () => random.uint32() % operations.length).sort(
    (a, b) => a - b,
  );
  const platter = new Platter();
  const published = new Set<string>();
  const counted = { cutsAfterPublish: 0, notOpened: 0, publishedNotStored: 0, reused: 0, newEpochs: 0 };
  let at = 0;
  for (const instant of instants) {
    for (; at < instant; at++) {
      const operation = operations[at] as Operation;
      platter.apply(operation);
      if (operation.kind === 'send') for (const id of idsIn(operation.bytes)) published.add(id);
    }
    if (published.size > 0) counted.cutsAfterPublish++;
    const directory = mkdtempSync(join(work, 'after-'));
    for (const [path, bytes] of platter.afterCut(random)) {
      const to = directory + path.slice(stateDir.length);
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, bytes);
    }
    inspect(directory, published, counted);
    rmSync(directory, { recursive: true, force: true });
  }
  const wrong = counted.notOpened + counted.publishedNotStored + counted.reused;
  return {
    seed,
    operations: operations.length,
    syncs: operations.filter(({ kind }) => kind === 'sync').length,
    published: new Set(operations.flatMap((one) => (one.kind === 'send' ? idsIn(one.bytes) : []))).size,
    cuts,
    ...counted,
    passed: wrong === 0 && counted.cutsAfterPublish > cuts / 4 && published.size > 10,
  };
}

/** Opens what is left, as the next start would. */
function inspect(
  directory: string,
  published: ReadonlySet<string>,
  counted: { notOpened: number; publishedNotStored: number; reused: number; newEpochs: number },
): void {
  let hex = 0;
  try {
    const store = openSqliteStore({
      stateDir: directory,
      openDatabase: (path) => new Database(path),
      nowMs: Date.now,
      randomHex: (bytes) => (hex++).toString(16).padStart(2 * bytes, '0'),
    });
    if (store.epochReason === 'continued') {
      const stored = new Set(store.events(0, 1_000_000).map(({ id }) => id));
      for (const id of published) if (!stored.has(id)) counted.publishedNotStored++;
    } else if (published.size > 0) {
      // Nothing that was synced may be lost: a new epoch after a publish means that it was.
      counted.newEpochs++;
      counted.publishedNotStored += published.size;
    }
    const draft = { type: 'edgewood.agent.started', severity: null, timeMs: 0, subject: null } as const;
    const [next] = store.commitTransition({ events: [{ ...draft, data: () => '{}' }] });
    if (next !== undefined && published.has(next.id)) counted.reused++;
    store.close();
  } catch (error) {
    counted.notOpened++;
    console.error(error instanceof Error ? error.message : error);
  }
}
