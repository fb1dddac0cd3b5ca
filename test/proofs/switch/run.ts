import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusReport } from '../../../agent/status.ts';
import { askAgent } from '../../../cli/local.ts';
import { Random } from '../../../core/random.ts';
import { artifactSha256 } from '../../../models/artifact.ts';
import { runExecutable } from '../../support/executable.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { referenceTo, type TestRelease } from '../../support/signed.ts';
import { GATE, openWay, Scene } from '../attacks/scene.ts';
import { Platter } from '../kill/platter.ts';
import { type Operation, readTrace, traced } from '../kill/trace.ts';
import { judgeCut, type Standing } from './judge.ts';

/**
 * Power cuts at every operation of a switch: the packaged agent takes a release over the model that it learned, another
 * over that, goes back, takes a third, and goes back to its own; every write, fsync, rename and link of it is recorded.
 */

export interface SwitchResult {
  readonly seed: number;
  readonly operations: Readonly<Record<string, number>>;
  readonly cuts: number;
  /** What would watch after the cut. */
  readonly watching: Readonly<Record<string, number>>;
  readonly noModel: number;
  /** A digest that no signed release and no fit of this host has. */
  readonly unknown: number;
  /** Central, and not among what was verified here. */
  readonly unverified: number;
  /** Neither the model of the last directory that was synced nor that of the next: a switch that was made is undone. */
  readonly neither: number;
  /** A rollout older than one that was durable. */
  readonly backwards: number;
  readonly starts: readonly Start[];
  readonly passed: boolean;
}

/** The packaged agent on what a cut left. */
export interface Start {
  readonly operation: number;
  readonly watching: string;
  /** From the start of the process, and from the agent's own, to the first sample that has a score. */
  readonly fromProcessMs: number;
  readonly fromStartedMs: number;
}

const ROW_MS = 100;

export async function cutSwitches(tearings: number, starts: number, seed: number): Promise<SwitchResult> {
  const mosquitto = await startMosquitto();
  const log = join(mkdtempSync(join(tmpdir(), 'edgewood-trace-')), 'trace');
  const scene = new Scene({ ...openWay(mosquitto.port), behind: traced(log), rowMs: ROW_MS });
  try {
    await scene.learn();
    const before = filesIn(join(scene.stateDir, 'models'));
    await scene.begin(600);
    const names = await switchAround(scene);
    const directory = join(scene.stateDir, 'models');
    await scene.stop();
    names.set(digestOf(before, 'current'), 'own');
    const operations = readTrace(log, directory);
    const judged = judgeAll(scene, operations, before, names, tearings, seed);
    const begun: Start[] = [];
    for (let i = 0; i < starts; i++) {
      const operation = Math.floor(((i + 0.5) * operations.length) / starts);
      begun.push(await startAfter(scene, operations, before, names, operation, seed + i));
    }
    const wrong = judged.noModel + judged.unknown + judged.unverified + judged.neither + judged.backwards;
    const passed = wrong === 0 && begun.every(({ watching }) => watching !== 'none');
    return { seed, ...judged, starts: begun, passed };
  } finally {
    await scene.end();
    await mosquitto.stop();
    rmSync(dirname(log), { recursive: true, force: true });
  }
}

/** @returns names of digests */
async function switchAround(scene: Scene): Promise<Map<string, string>> {
  const { fleet } = scene;
  const releases = [1, 2, 3].map((version) => fleet.releaseOf(scene.model, version));
  const [one, two, three] = releases as [TestRelease, TestRelease, TestRelease];
  const sha256 = (release: TestRelease): string => release.document.artifact.sha256;
  for (const release of releases) await scene.publishRelease(release);
  let version = 0;
  const rollout = async (
    release: TestRelease,
    baseline: TestRelease | null,
    aborted: boolean,
  ): Promise<void> => {
    const document = fleet.rollout(++version, release, {
      gate: GATE,
      baseline: baseline === null ? null : referenceTo(baseline),
      ...(aborted && { state: 'aborted' }),
    });
    await scene.publishRollout(document);
    const slot = aborted && baseline === null ? 'current' : 'central';
    const digest = aborted ? (baseline === null ? null : sha256(baseline)) : sha256(release);
    await scene.until(`rollout ${version}`, ({ central }) => {
      const { running = null, state } = central ?? {};
      const settled = state === 'committed' || state === 'rolled_back';
      return settled && running?.slot === slot && (digest === null || running.sha256 === digest);
    });
  };
  await scene.trustTwo();
  await rollout(one, null, false);
  await rollout(two, one, false);
  await rollout(two, one, true);
  await rollout(three, one, false);
  await rollout(three, null, true);
  return new Map(releases.map((release, i) => [sha256(release), `release ${i + 1}`]));
}

function filesIn(directory: string): Map<string, Buffer> {
  return new Map(
    readdirSync(directory).map((name) => [join(directory, name), readFileSync(join(directory, name))]),
  );
}

const digestOf = (files: ReadonlyMap<string, Buffer>, slot: string): string => {
  const [, bytes = Buffer.alloc(0)] = [...files].find(([path]) => path.endsWith(`/${slot}.edgewood`)) ?? [];
  return artifactSha256(bytes);
};

function putDown(files: ReadonlyMap<string, Buffer>, stateDir: string, to: string): void {
  for (const [path, bytes] of files) {
    const target = to + path.slice(stateDir.length);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

function judgeAll(
  scene: Scene,
  operations: readonly Operation[],
  before: ReadonlyMap<string, Buffer>,
  names: ReadonlyMap<string, string>,
  tearings: number,
  seed: number,
) {
  const random = new Random(seed);
  const watching: Record<string, number> = {};
  const counted = { cuts: 0, noModel: 0, unknown: 0, unverified: 0, neither: 0, backwards: 0 };
  const standingOf = (files: ReadonlyMap<string, Buffer>): Standing => {
    const directory = mkdtempSync(join(scene.work, 'after-'));
    putDown(files, scene.stateDir, directory);
    const standing = judgeCut(directory, scene.work, scene.fleet.pin);
    rmSync(directory, { recursive: true, force: true });
    return standing;
  };
  const synced = syncedStandings(operations, new Platter(before), join(scene.stateDir, 'models'), standingOf);
  const platter = new Platter(before);
  let section = 0;
  for (let at = 0; at <= operations.length; at++) {
    const [last, next = last] = synced.slice(section, section + 2) as [Standing, Standing?];
    for (let tearing = 0; tearing < tearings; tearing++) {
      const cut = standingOf(platter.afterCut(random));
      counted.cuts++;
      const name = cut.sha256 === null ? 'none' : (names.get(cut.sha256) ?? 'unknown');
      watching[name] = (watching[name] ?? 0) + 1;
      if (name === 'none') counted.noModel++;
      if (name === 'unknown') counted.unknown++;
      if (cut.slot === 'central' && !cut.verified.includes(cut.sha256 ?? '')) counted.unverified++;
      if (cut.sha256 !== last.sha256 && cut.sha256 !== next.sha256) counted.neither++;
      if (cut.rollout < last.rollout) counted.backwards++;
    }
    const operation = operations[at];
    if (operation === undefined) break;
    platter.apply(operation);
    if (isDirectorySync(operation, join(scene.stateDir, 'models'))) section++;
  }
  const kinds: Record<string, number> = {};
  for (const { kind } of operations) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return { operations: kinds, ...counted, watching };
}

const isDirectorySync = (operation: Operation, directory: string): boolean =>
  operation.kind === 'sync' && operation.path === directory;

/** What the agent itself had at each moment at which it takes its names for durable; the first before all. */
function syncedStandings(
  operations: readonly Operation[],
  platter: Platter,
  directory: string,
  standingOf: (files: ReadonlyMap<string, Buffer>) => Standing,
): Standing[] {
  const standings = [standingOf(platter.asSeen())];
  for (const operation of operations) {
    platter.apply(operation);
    if (isDirectorySync(operation, directory)) standings.push(standingOf(platter.asSeen()));
  }
  return standings;
}

async function startAfter(
  scene: Scene,
  operations: readonly Operation[],
  before: ReadonlyMap<string, Buffer>,
  names: ReadonlyMap<string, string>,
  operation: number,
  seed: number,
): Promise<Start> {
  const platter = new Platter(before);
  for (const one of operations.slice(0, operation)) platter.apply(one);
  const stateDir = mkdtempSync(join(scene.work, 'start-'));
  // Its history is of the whole run; its models are what the cut left.
  cpSync(scene.stateDir, stateDir, {
    recursive: true,
    filter: (path) => !path.startsWith(join(scene.stateDir, 'models')) && !path.endsWith('.sock'),
  });
  putDown(platter.afterCut(new Random(seed)), scene.stateDir, stateDir);
  const config = scene.configFor(stateDir);
  const begunMs = performance.now();
  const run = runExecutable(['agent', '--config', config, '--log-format', 'json']);
  try {
    await run.logged('"agent.started"');
    const startedMs = performance.now();
    for (;;) {
      const status = await askAgent<StatusReport>(join(stateDir, 'agent.sock'), { method: 'status' });
      const nowMs = performance.now();
      if (status.score !== null || nowMs - startedMs > 10_000) {
        const { central } = status;
        const running = central === null || 'unavailable' in central ? null : central.running;
        const sha256 = running?.sha256 ?? '';
        return {
          operation,
          watching: status.score === null ? 'none' : (names.get(sha256) ?? 'unknown'),
          fromProcessMs: Math.round(nowMs - begunMs),
          fromStartedMs: Math.round(nowMs - startedMs),
        };
      }
      await sleep(5);
    }
  } finally {
    run.child.kill('SIGKILL');
    await run.ended;
    rmSync(stateDir, { recursive: true, force: true });
  }
}
