import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import { Random } from '../../../core/random.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { Platter } from './platter.ts';
import { eventfulRows, trainingRows } from './rows.ts';
import { type Operation, readTrace, runTraced } from './trace.ts';

/**
 * Power cuts of the packaged executable: one run is recorded, every write, fsync and packet of it; then the disk is
 * put together as a cut at any instant may leave it. What was not fsynced is there, gone, or torn, each by chance.
 */

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
