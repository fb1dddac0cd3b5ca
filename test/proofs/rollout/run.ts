import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import type { ReportedDocument } from '../../../core/protocol/reported.ts';
import type { ReleaseDocument } from '../../../core/protocol/trust.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { runExecutable } from '../../support/executable.ts';
import { MODEL, RolloutScene, SITE } from '../../support/rollout-scene.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../../support/series.ts';
import type { TestRelease } from '../../support/signed.ts';
import { INTERVAL_MS, type RealAgent, startAgent } from './agents.ts';
import { Observer } from './observer.ts';
import type { BadRelease } from './releases.ts';

/** The packaged `rollout` commands over a real broker, against hosts of which some are packaged agents. */
export interface ProofOptions {
  readonly simulated: number;
  readonly agents: number;
  readonly bad: readonly BadRelease[];
  readonly say: (line: string) => void;
}

const QUICK = [
  '--jitter',
  '1s',
  '--probation',
  '2s',
  '--watchdog',
  '1m',
  '--timeout',
  '90s',
  '--shadow-rows',
  '300',
];
const SOAK_MS = 2000;
const BACK_WITHIN_MS = 120_000;
const UNDER_WAY: ReadonlySet<string> = new Set(['offered', 'fetching', 'verified', 'shadow', 'probation']);
const seconds = (ms: number): number => Math.round(ms / 100) / 10;

interface Traffic {
  readonly messages: number;
  readonly bytes: number;
  readonly chunkBytes: number;
}

export async function proveRollout({ simulated, agents, bad, say }: ProofOptions) {
  const scene = await RolloutScene.open();
  const observer = await Observer.connect(scene.mosquitto.port);
  const real: RealAgent[] = [];
  try {
    let loud: string | null = null;
    const alarms = (release: ReleaseDocument | null): number =>
      release !== null && release.artifact.sha256 === loud ? 2 : 0;
    await scene.fleet(simulated, () => ({ labels: { kind: 'simulated' }, alarms }));
    const rootPath = join(scene.directory, 'root.1.json');
    for (let i = 0; i < agents; i++) {
      const { directory, keys, mosquitto } = scene;
      real.push(await startAgent(i, { directory, port: mosquitto.port, rootPath, pin: keys.pin }));
    }
    const everybody = [...scene.hosts.map(({ hostId }) => hostId), ...real.map(({ hostId }) => hostId)];
    await observer.until(everybody, ({ root }) => root === 1, 60_000);
    say(`${simulated} simulated hosts and ${agents} packaged agents are there`);
    const commands = new Commands(scene, rootPath);

    const good = await scene.release(1, modelOf(1));
    const before = traffic(scene);
    const first = await commands.rollOut(good.path, ['--stages', '1,10,50,100']);
    await observer.until(everybody, (report) => report.slots.central === digest(good), 30_000);
    const stages = observer.rollouts.map(({ document, atMs }, i) => ({
      fraction: Math.round(document.cohort.fraction * 1e4) / 1e4,
      seconds: seconds((observer.rollouts[i + 1]?.atMs ?? first.endMs) - atMs),
    }));
    const perHost = perHostTraffic(before, traffic(scene), simulated);
    say(
      `good: exit ${first.code}, 100 % after ${seconds(first.endMs - first.startMs)} s in ${stages.length} stages; a host ${perHost.messages} messages, ${perHost.bytes} bytes, of them ${perHost.chunkBytes} of the model`,
    );

    const bads: Awaited<ReturnType<typeof takeBack>>[] = [];
    let version = 2;
    for (const one of bad) {
      // A stage that holds all real agents says what they make of it; loud hosts are simulated, as the load would have to be.
      const groups = one.loud === true || agents === 0 ? [[]] : [[], ['--label', 'kind=real']];
      const release = await scene.release(version, one.model(modelOf(version)), one.change, one.bytes);
      version++;
      if (one.loud === true) loud = digest(release);
      for (const group of groups) {
        const selected = group.length === 0 ? everybody : real.map(({ hostId }) => hostId);
        bads.push(await takeBack(commands, observer, one, release, digest(good), group, selected, say));
      }
    }
    const verifyMs = scene.hosts.map((host) => host.verifyMs).sort((a, b) => a - b);
    const result = {
      hosts: { simulated, agents },
      model: { bytes: good.artifact.length, chunks: good.chunks.length },
      good: { exitCode: first.code, seconds: seconds(first.endMs - first.startMs), stages, perHost },
      bad: bads,
      verifyMs: { median: round3(verifyMs[verifyMs.length >> 1]), most: round3(verifyMs.at(-1)) },
      stillOnTheGood: [...observer.reports.values()].filter(({ slots }) => slots.central === digest(good))
        .length,
    };
    const passed =
      first.code === 0 && bads.every((one) => one.passed) && result.stillOnTheGood === everybody.length;
    return { ...result, passed };
  } finally {
    for (const agent of real) await agent.stop();
    await observer.close();
    await scene.close();
  }
}

const round3 = (x: number | undefined): number | null =>
  x === undefined ? null : Math.round(x * 1000) / 1000;
const digest = ({ document }: TestRelease): string => document.artifact.sha256;

/** Starts it, advances to its end, and waits until every host is back: nobody has a hand in it. */
async function takeBack(
  commands: Commands,
  observer: Observer,
  bad: BadRelease,
  release: TestRelease & { readonly path: string },
  good: string,
  group: readonly string[],
  hostIds: readonly string[],
  say: (line: string) => void,
) {
  const seen = observer.rollouts.length;
  const soak = bad.loud === true ? '10m' : `${SOAK_MS}ms`;
  const rolled = await commands.rollOut(release.path, ['--stages', '1,10,50,100', '--soak', soak, ...group]);
  const issued = observer.rollouts.slice(seen);
  const aborted = issued.find(({ document }) => document.state === 'aborted');
  // Agents report a change of state at once, and a newer document that changes nothing for them within a minute.
  const isBack = ({ slots, state }: ReportedDocument): boolean =>
    slots.central === good && !UNDER_WAY.has(state);
  await observer.until(hostIds, isBack, BACK_WITHIN_MS);
  const backMs = performance.now();
  const failed = rolled.last?.figures.failed ?? [];
  const ran = observer.ran.get(digest(release))?.size ?? 0;
  const codes = [...new Set(failed.map(({ code }) => code))];
  const result = {
    release: bad.name,
    among: group.length === 0 ? 'all' : 'packaged agents only',
    exitCode: rolled.code,
    stages: issued.filter(({ document }) => document.state === 'active').length,
    secondsToAbort: seconds((aborted?.atMs ?? Number.NaN) - rolled.startMs),
    secondsFromAbortToBack: seconds(backMs - (aborted?.atMs ?? Number.NaN)),
    firstStage: rolled.last?.figures.cohort ?? null,
    failed: failed.length,
    codes,
    packagedAgentsThatRefused: failed.filter(({ host }) => host.startsWith(`${SITE}/real-`)).length,
    why: rolled.last?.decision.reasons ?? [],
    hostsThatRanIt: ran,
  };
  const passed =
    rolled.code === 1 &&
    result.stages === 1 &&
    (bad.loud === true || (ran === 0 && failed.length >= 3 && codes.every((code) => bad.code.test(code))));
  say(
    `${bad.name} (${result.among}): exit ${rolled.code} after ${result.secondsToAbort} s in stage ${result.stages}, ${result.failed} of ${result.firstStage} failed (${codes.join()}), ${ran} ran it, all ${hostIds.length} on the good one ${result.secondsFromAbortToBack} s later: ${passed ? 'passed' : 'FAILED'}`,
  );
  return { ...result, passed };
}

interface Line {
  readonly decision: { readonly kind: string; readonly reasons: readonly string[] };
  readonly figures: {
    readonly cohort: number;
    readonly failed: readonly { readonly host: string; readonly code: string }[];
  };
}

class Commands {
  readonly #options: readonly string[];

  constructor(scene: RolloutScene, rootPath: string) {
    const key = join(scene.directory, 'operator.key');
    const pem = scene.keys.operatorKey.private.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(key, pem, { mode: 0o600 });
    const broker = `mqtt://127.0.0.1:${scene.mosquitto.port}`;
    this.#options = ['--root', rootPath, '--key', key, '--broker', broker, '--registry', scene.registry];
  }

  async rollOut(
    path: string,
    options: readonly string[],
  ): Promise<{ code: number | string; startMs: number; endMs: number; last: Line | null }> {
    const startMs = performance.now();
    const soak = options.includes('--soak') ? [] : ['--soak', `${SOAK_MS}ms`];
    const started = runExecutable([
      'rollout',
      'start',
      path,
      '--site',
      SITE,
      ...QUICK,
      ...soak,
      ...options,
      ...this.#options,
    ]);
    const code = await started.ended;
    if (code !== 0) throw new Error(`rollout start ended with ${code}: ${started.stderr()}`);
    const watched = runExecutable([
      'rollout',
      'advance',
      MODEL,
      '--watch',
      '--every',
      '500ms',
      '--json',
      ...this.#options,
    ]);
    const end = await watched.ended;
    if (end !== 0 && end !== 1) throw new Error(`rollout advance ended with ${end}: ${watched.stderr()}`);
    const lines = watched.stdout().trimEnd().split('\n');
    return {
      code: end,
      startMs,
      endMs: performance.now(),
      last: JSON.parse(lines.at(-1) ?? 'null') as Line | null,
    };
  }
}

/** As an agent would fit it, for hosts of this kind; 1 s between samples. */
function modelOf(seed: number): Model {
  const provenance = { ...PROVENANCE, seed, intervalMs: INTERVAL_MS };
  return runToEnd(trainModel(SMALL_SCHEMA, smallSeries(6000, 50 + seed), provenance, TRAINING_DEFAULTS));
}

function traffic({ hosts }: RolloutScene): Traffic {
  const sum = (of: (one: RolloutScene['hosts'][number]['traffic']) => number): number =>
    hosts.reduce((all, host) => all + of(host.traffic), 0);
  return {
    messages: sum(({ sent, got }) => sent + got),
    bytes: sum(({ sentBytes, gotBytes }) => sentBytes + gotBytes),
    chunkBytes: sum(({ chunkBytes }) => chunkBytes),
  };
}

function perHostTraffic(before: Traffic, after: Traffic, hosts: number): Traffic {
  const mean = (of: keyof Traffic): number => Math.round((after[of] - before[of]) / Math.max(1, hosts));
  return { messages: mean('messages'), bytes: mean('bytes'), chunkBytes: mean('chunkBytes') };
}
