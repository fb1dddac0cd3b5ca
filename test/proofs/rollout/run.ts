import { join } from 'node:path';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import type { ReleaseDocument } from '../../../core/protocol/trust.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { RolloutScene } from '../../support/rollout-scene.ts';
import { busySeries, PROVENANCE, SMALL_SCHEMA } from '../../support/series.ts';
import { INTERVAL_MS, type RealAgent, startAgent } from './agents.ts';
import { digest, seconds, sendBack, takeBack } from './back.ts';
import { Commands } from './commands.ts';
import { Observer } from './observer.ts';
import type { BadRelease } from './releases.ts';

/** The packaged `rollout` commands over a real broker, against hosts of which some are packaged agents. */
export interface ProofOptions {
  readonly simulated: number;
  readonly agents: number;
  /** Of the hosts, the models and the candidates; keys and `rollout start` draw for themselves. */
  readonly seed: number;
  readonly bad: readonly BadRelease[];
  readonly say: (line: string) => void;
}

interface Traffic {
  readonly messages: number;
  readonly bytes: number;
  readonly chunkBytes: number;
}

export async function proveRollout({ simulated, agents, seed, bad, say }: ProofOptions) {
  const series = 1000 * seed;
  const scene = await RolloutScene.open(series);
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
      real.push(
        await startAgent(i, { directory, port: mosquitto.port, rootPath, pin: keys.pin, seed: series }),
      );
    }
    const everybody = [...scene.hosts.map(({ hostId }) => hostId), ...real.map(({ hostId }) => hostId)];
    await observer.until(everybody, ({ root }) => root === 1, 60_000);
    say(`${simulated} simulated hosts and ${agents} packaged agents are there`);
    const commands = new Commands(scene, rootPath);

    const good = await scene.release(1, modelOf(series + 1));
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
      const release = await scene.release(
        version,
        one.model(modelOf(series + version)),
        one.change,
        one.bytes,
      );
      version++;
      if (one.loud === true) loud = digest(release);
      for (const group of groups) {
        const selected = group.length === 0 ? everybody : real.map(({ hostId }) => hostId);
        bads.push(await takeBack(commands, observer, one, release, digest(good), group, selected, say));
      }
    }
    let live: Awaited<ReturnType<typeof sendBack>> | null = null;
    if (agents > 0) {
      const release = await scene.release(
        version,
        modelOf(series + version, () => false),
      );
      live = await sendBack(commands, observer, release, digest(good), real, say);
    }
    const verifyMs = scene.hosts.map((host) => host.verifyMs).sort((a, b) => a - b);
    const result = {
      seed,
      hosts: { simulated, agents },
      model: { bytes: good.artifact.length, chunks: good.chunks.length },
      good: {
        cohortSeed: first.cohortSeed,
        exitCode: first.code,
        seconds: seconds(first.endMs - first.startMs),
        stages,
        perHost,
      },
      bad: bads,
      committedAndSentBack: live,
      verifyMs: { median: round3(verifyMs[verifyMs.length >> 1]), most: round3(verifyMs.at(-1)) },
      stillOnTheGood: [...observer.reports.values()].filter(({ slots }) => slots.central === digest(good))
        .length,
    };
    const passed =
      first.code === 0 &&
      bads.every((one) => one.passed) &&
      live?.passed !== false &&
      result.stillOnTheGood === everybody.length;
    return { ...result, passed };
  } finally {
    for (const agent of real) await agent.stop();
    await observer.close();
    await scene.close();
  }
}

const round3 = (x: number | undefined): number | null =>
  x === undefined ? null : Math.round(x * 1000) / 1000;

/** As an agent would fit it, for hosts of this kind. @param knowsWork rows in which the hosts that it learns from are busy */
function modelOf(seed: number, knowsWork = (row: number): boolean => row % 400 >= 200): Model {
  const provenance = { ...PROVENANCE, seed, intervalMs: INTERVAL_MS };
  const rows = busySeries(6000, 50 + seed, knowsWork);
  return runToEnd(trainModel(SMALL_SCHEMA, rows, provenance, TRAINING_DEFAULTS));
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
