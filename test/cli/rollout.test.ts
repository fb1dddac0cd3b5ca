import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { advanceOnce, type Step } from '../../cli/rollout/advance.ts';
import { compareWithBroker, type Desk, documentIn, issue, renew } from '../../cli/rollout/desk.ts';
import type { FleetReader } from '../../cli/rollout/fleet.ts';
import { chosenRollout } from '../../cli/rollout/open.ts';
import type { PlanOptions } from '../../cli/rollout/plan-options.ts';
import { startRollout } from '../../cli/rollout/start.ts';
import { siteTopics } from '../../core/protocol/topics.ts';
import { withState } from '../../models/rollout/progress.ts';
import type { SimulatedHost } from '../support/fleet.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { MODEL, RolloutScene, SITE } from '../support/rollout-scene.ts';

const QUICK: PlanOptions = {
  mode: 'apply',
  jitter: '0',
  probation: '50ms',
  watchdog: '1m',
  timeout: '1m',
  soak: '0',
  stages: '10,50,100',
  'shadow-rows': 60,
  'shadow-least-rows': 2000,
};
const STEP = { adopt: false, dryRun: false };
const START = { sites: [SITE], seed: 'seed', why: null, adopt: false, dryRun: false };

let scene: RolloutScene;
beforeEach(async () => {
  scene = await RolloutScene.open();
});
afterEach(() => scene.close());

interface Opened {
  readonly desk: Desk;
  readonly reader: FleetReader;
}

async function start(opened: Opened, version: number, options = QUICK): Promise<number> {
  const release = await scene.release(version);
  const file = { path: release.path, bytes: release.envelope };
  return (await startRollout(opened.desk, opened.reader, file, options, START)).version;
}

/** Steps until it has ended. @returns all that decided something */
async function advance(
  { desk, reader }: Opened,
  until = (step: Step) => step.rollout.progress.status !== 'running',
) {
  const steps: Step[] = [];
  for (;;) {
    const step = await advanceOnce(desk, reader, MODEL, STEP);
    if (step.judgement.decision.kind !== 'wait') steps.push(step);
    if (until(step)) return steps;
    await setTimeout(20);
  }
}
const kinds = (steps: readonly Step[]): string[] => steps.map(({ judgement }) => judgement.decision.kind);
const running = (hosts: readonly SimulatedHost[]): (string | null)[] => [
  ...new Set(hosts.map((host) => host.running)),
];

async function settled(
  hosts: readonly SimulatedHost[],
  what: (host: SimulatedHost) => boolean,
): Promise<void> {
  while (!hosts.every(what)) await setTimeout(10);
}

/** What a site has retained for all hosts. */
async function retained(topic = siteTopics(SITE).rollout(MODEL)): Promise<string> {
  const client = await connectAsync(`mqtt://127.0.0.1:${scene.mosquitto.port}`, { protocolVersion: 5 });
  const said = new Promise<string>((resolve) =>
    client.on('message', (_, payload) => resolve(payload.toString())),
  );
  await client.subscribeAsync(topic);
  const text = await said;
  await client.endAsync();
  return text;
}

describe.skipIf(!hasMosquitto)('a rollout over a real broker', () => {
  test('reaches every host in stages, each document newer than the one before; the next goes back to it', async () => {
    await scene.fleet(60);
    await scene.host('sim-gone').start();
    await scene.hosts.at(-1)?.stop(true);
    const opened = await scene.desk();
    expect(await start(opened, 1)).toBe(1);
    const steps = await advance(opened);
    expect(kinds(steps)).toEqual(['advance', 'advance', 'complete']);
    const last = steps.at(-1) as Step;
    expect(last.judgement.figures).toMatchObject({
      committed: 60,
      failed: [],
      pending: { all: 1, offline: 1 },
    });
    expect(steps.map(({ rollout }) => rollout.progress.stage)).toEqual([1, 2, 2]);
    const sizes = steps.map(({ judgement }) => judgement.figures.committed);
    expect(sizes[0]).toBe(20);
    const first = opened.desk.store.current(MODEL)?.plan.release;
    expect(running(scene.hosts.slice(0, 60))).toEqual([first?.artifactSha256]);
    expect(await start(opened, 2)).toBe(4);
    expect(opened.desk.store.current(MODEL)?.plan.baseline).toEqual(first);
    expect(opened.desk.store.history(MODEL).map(({ action, version }) => `${action} ${version}`)).toEqual([
      'start 1',
      'advance 2',
      'advance 3',
      'complete null',
      'start 4',
    ]);
  });

  test('goes back where hosts refuse it: they are named, and all run what they ran before', async () => {
    await scene.fleet(40, (i) => (i % 2 === 0 ? {} : { schema: [] }));
    const opened = await scene.desk();
    await start(opened, 1);
    const steps = await advance(opened);
    expect(kinds(steps)).toEqual(['abort']);
    const { failed } = (steps[0] as Step).judgement.figures;
    expect(failed.length).toBeGreaterThanOrEqual(3);
    expect(failed[0]).toMatchObject({ state: 'rejected', code: 'schema', message: /does not measure/ });
    await settled(scene.hosts, (host) => host.rolloutVersion === 2 && host.running === null);
    expect(JSON.parse(Buffer.from(JSON.parse(await retained()).payload, 'base64').toString())).toMatchObject({
      version: 2,
      state: 'aborted',
      baseline: null,
    });
  });

  test('goes back where its hosts alarm more often than the others', async () => {
    await scene.fleet(60, () => ({ alarms: (release) => (release === null ? 0 : 3) }));
    const opened = await scene.desk();
    await start(opened, 1, { ...QUICK, soak: '1h' });
    const [step] = await advance(opened);
    expect(step?.judgement.decision).toMatchObject({
      kind: 'abort',
      reasons: [expect.stringMatching(/over 3 times/)],
    });
  });

  test('in shadow first: no host switches before the gate holds, then it is applied by itself', async () => {
    await scene.fleet(40);
    const opened = await scene.desk();
    await start(opened, 1, { ...QUICK, mode: 'shadow', disagreement: 10 });
    const [held] = await advance(opened, ({ judgement }) => judgement.decision.kind === 'advance');
    expect(held?.judgement.figures.shadow).toMatchObject({ hosts: 40, verdict: 'holds' });
    expect(held?.judgement.figures.shadow?.rows).toBe(40 * 60);
    expect(kinds(await advance(opened))).toEqual(['advance', 'complete']);
    expect(running(scene.hosts)).not.toContain(null);
  });
});

describe.skipIf(!hasMosquitto)('one writer, whatever happens to it', () => {
  test('a document that was stored and not published is published by the next step', async () => {
    await scene.fleet(3);
    const opened = await scene.desk();
    await start(opened, 1);
    const cut: Desk = {
      ...opened.desk,
      broker: new Proxy(opened.desk.broker, {
        get: (target, name) =>
          name === 'publish'
            ? () => Promise.reject(new Error('the power went'))
            : (Reflect.get(target, name) as () => void).bind(target),
      }),
    };
    const change = { action: 'pause', why: null, figures: null } as const;
    const before = chosenRollout(cut.store, MODEL);
    await expect(issue(cut, before, () => withState(before.progress, 'paused'), change)).rejects.toThrow(
      'power',
    );
    const stored = cut.store.newestDocument(MODEL);
    expect([stored?.version, (await retained()) === stored?.envelope]).toEqual([2, false]);
    const step = await advanceOnce(opened.desk, opened.reader, MODEL, STEP);
    expect([step.behind, step.judgement.decision.kind]).toEqual([[SITE], 'hold']);
    expect(await retained()).toBe(stored?.envelope);
    // And by the one after, where the broker has lost everything.
    await scene.mosquitto.restart();
    expect((await advanceOnce(opened.desk, opened.reader, MODEL, STEP)).behind).toEqual([SITE]);
    expect(await retained()).toBe(stored?.envelope);
  });

  test('who decides on what is past is refused', async () => {
    await scene.fleet(3);
    const opened = await scene.desk();
    await start(opened, 1);
    const [one, other] = [chosenRollout(opened.desk.store, MODEL), chosenRollout(opened.desk.store, MODEL)];
    const change = { action: 'pause', why: null, figures: null } as const;
    await issue(opened.desk, one, () => withState(one.progress, 'paused'), change);
    await expect(issue(opened.desk, other, () => other.progress, change)).rejects.toMatchObject({
      fault: 'conflict',
      exitCode: 1,
    });
    await expect(start(opened, 2)).rejects.toThrow(/is being rolled out; first/);
  });

  test('a registry from a backup issues nothing that hosts have seen: it says so, or goes on from there', async () => {
    await scene.fleet(60);
    const opened = await scene.desk();
    await start(opened, 1);
    const backup = join(scene.directory, 'backup');
    cpSync(scene.registry, backup, { recursive: true });
    await advance(opened, ({ rollout }) => rollout.progress.fraction === 0.5);
    const old = await scene.desk(undefined, backup);
    await expect(advanceOnce(old.desk, old.reader, MODEL, STEP)).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(
        /version 2 .* lies at the broker, and this registry has issued 1: .*--adopt/,
      ),
    });
    const taken = await advanceOnce(old.desk, old.reader, MODEL, { ...STEP, adopt: true });
    expect(taken.rollout.progress).toMatchObject({ status: 'running', fraction: 1, stageVersion: 3 });
    expect(kinds(await advance(old))).toEqual(['complete']);
    expect(old.desk.store.newestDocument(MODEL)?.version).toBe(3);
    const empty = await scene.desk(undefined, join(scene.directory, 'empty'));
    await expect(start(empty, 2)).rejects.toThrow(/this registry has none/);
  });

  test('what nobody vouches for is written over', async () => {
    await scene.fleet(3);
    const opened = await scene.desk();
    await start(opened, 1);
    await opened.desk.broker.publish(siteTopics(SITE).rollout(MODEL), '{"payload":"nonsense"}', {
      retain: true,
    });
    const step = await advanceOnce(opened.desk, opened.reader, MODEL, STEP);
    expect(step).toMatchObject({ behind: [SITE], strange: [SITE] });
    expect(await retained()).toBe(opened.desk.store.newestDocument(MODEL)?.envelope);
  });

  test('a renewal key renews, and nothing else; other keys sign nothing', async () => {
    await scene.fleet(3);
    const opened = await scene.desk();
    await start(opened, 1);
    const { keys } = scene;
    const later = Date.now() + 3 * 86_400_000;
    const renewing = (await scene.desk([keys.renewalKey], scene.registry, () => later)).desk;
    const before = chosenRollout(renewing.store, MODEL);
    expect(await renew(renewing, before, null)).toBe(2);
    const newest = documentIn(renewing.store.newestDocument(MODEL) as never);
    expect(Date.parse(newest.expiresAt)).toBe(later + 7 * 86_400_000);
    await settled(scene.hosts, (host) => host.rolloutVersion === 2);
    const change = { action: 'abort', why: null, figures: null } as const;
    const paused = () => withState(before.progress, 'paused');
    await expect(issue(renewing, before, paused, change)).rejects.toMatchObject({
      refusal: 'renewalChanged',
      exitCode: 4,
    });
    const foreign = (await scene.desk([keys.releaseKey])).desk;
    await expect(issue(foreign, before, paused, change)).rejects.toMatchObject({
      refusal: 'tooFewSignatures',
      exitCode: 4,
    });
    expect(renewing.store.newestDocument(MODEL)?.version).toBe(2);
  });

  test('past half of its time a document is renewed by itself', async () => {
    await scene.fleet(3);
    const opened = await scene.desk();
    await start(opened, 1, { ...QUICK, soak: '30d' });
    await settled(scene.hosts, ({ state }) => state === 'committed');
    const soon = await scene.desk(undefined, scene.registry, () => Date.now() + 3 * 86_400_000);
    expect((await advanceOnce(soon.desk, soon.reader, MODEL, STEP)).version).toBeNull();
    const late = await scene.desk(undefined, scene.registry, () => Date.now() + 4 * 86_400_000);
    const step = await advanceOnce(late.desk, late.reader, MODEL, STEP);
    expect([step.version, step.judgement.decision.kind]).toEqual([2, 'wait']);
    // Committed hosts are that all the same: the stage is as it was.
    expect(chosenRollout(late.desk.store, MODEL).progress.stageVersion).toBe(1);
  });

  test('hosts that say nonsense, or speak for others, count as silent and are named', async () => {
    await scene.fleet(3);
    const { desk, reader } = await scene.desk();
    const topic = (id: string) => `edgewood/1/${SITE}/a/${id}/reported`;
    const stolen = await retained(topic('sim-1'));
    await desk.broker.publish(topic('sim-0'), stolen, { retain: true });
    await desk.broker.publish(topic('sim-2'), 'x'.repeat(40_000), { retain: true });
    const read = await reader.read(desk.broker, [SITE], [{ site: SITE, hostId: 'unheard' }]);
    expect(read.hosts.map(({ hostId, reported }) => [hostId, reported !== null]).sort()).toEqual([
      ['sim-0', false],
      ['sim-1', true],
      ['sim-2', false],
      ['unheard', false],
    ]);
    expect(read.faulty.map(({ host }) => host).sort()).toEqual([`${SITE}/sim-0`, `${SITE}/sim-2`]);
  });

  test('a release that hosts can not fetch is not begun, nor one that selects nobody', async () => {
    await scene.fleet(3);
    const { desk, reader } = await scene.desk();
    const release = await scene.release(1);
    const file = { path: release.path, bytes: release.envelope };
    const elsewhere = { ...START, sites: [SITE, 'elsewhere'] };
    await expect(startRollout(desk, reader, file, QUICK, elsewhere)).rejects.toThrow(
      /elsewhere.*is not at the broker/,
    );
    const nobody = { ...QUICK, label: ['role=db'] };
    await expect(startRollout(desk, reader, file, nobody, START)).rejects.toThrow(/none of 3 known hosts/);
    const dry = await startRollout(desk, reader, file, QUICK, { ...START, dryRun: true });
    expect([dry.version, dry.hosts.first, desk.store.current(MODEL)]).toEqual([1, 3, null]);
    expect(await compareWithBroker(desk, MODEL, [SITE], false)).toEqual({ behind: [], strange: [] });
  });
});
