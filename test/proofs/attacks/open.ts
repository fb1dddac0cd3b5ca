import type { ReportedDocument } from '../../../core/protocol/reported.ts';
import type { RolloutDocument } from '../../../core/protocol/trust.ts';
import { clockSetTo } from '../../support/clock.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { signed, type TestRelease } from '../../support/signed.ts';
import { type Attack, type Struck, strike, told } from './attack.ts';
import { chunkAttacks, documentAttacks, releaseAttacks } from './documents.ts';
import { hostileMessages } from './everything.ts';
import { GATE, openWay, Scene } from './scene.ts';
import { ackAttacks, commandAttacks, takeover } from './words.ts';

const DAY_MS = 86_400_000;

export interface Account {
  readonly stored: number;
  readonly heard: number;
  readonly pending: number;
  readonly lost: number;
  readonly gaps: number;
}

/** What an open broker can't hold: a hub's word about what was really sent. */
export interface TrueAcknowledgement {
  readonly waitedBefore: number;
  readonly waitedAfter: number;
  /** Of those that were let go, so many never came to who listens: 0, since the broker has had them. */
  readonly neverHeard: number;
}

export interface SceneResult {
  readonly attacks: readonly Struck[];
  readonly alerts: Account;
  readonly peakMb: number;
  readonly logBytes: number;
  readonly refusedInReported: Readonly<Record<string, number>>;
}

/** A broker that lets everybody do everything, and an agent that lets events go at a hub's word alone. */
export async function openBroker(
  endless: number,
): Promise<SceneResult & { readonly trueAcknowledgement: TrueAcknowledgement }> {
  const mosquitto = await startMosquitto();
  const scene = new Scene(openWay(mosquitto.port, ', acknowledge: hub'));
  try {
    await scene.begin(1200);
    const attacks = await attackAll(scene, endless);
    await scene.until(
      'what was refused is reported',
      () => Object.keys(scene.reported?.refused ?? {}).length > 0,
    );
    const peakMb = scene.peakMb();
    const logBytes = scene.run.stderr().length;
    const refusedInReported = scene.reported?.refused ?? {};
    const waited = await acknowledgeAll(scene);
    const alerts = await scene.account();
    const trueAcknowledgement = { ...waited, neverHeard: alerts.lost };
    return { attacks, alerts, trueAcknowledgement, peakMb, logBytes, refusedInReported };
  } finally {
    await scene.end();
    await mosquitto.stop();
  }
}

async function attackAll(scene: Scene, endless: number): Promise<Struck[]> {
  const { fleet } = scene;
  await scene.trustTwo();
  const releases = [1, 2, 3].map((version) => fleet.releaseOf(scene.model, version));
  const [one, two, three] = releases as [(typeof releases)[0], (typeof releases)[0], (typeof releases)[0]];
  const rollout = (
    version: number,
    release: typeof one,
    change: Partial<RolloutDocument> = {},
  ): RolloutDocument => fleet.rollout(version, release, { gate: GATE, ...change });
  await scene.publishRelease(one);
  await scene.publishRelease(two);
  const past = fleet.signRollout(rollout(1, two));
  await scene.publishRollout(rollout(2, one));
  await committed(scene, one);
  const current = fleet.signRollout(rollout(2, one));
  const struck = await strike(scene, 'open broker', [
    ...documentAttacks(scene, rollout(3, two), past, current),
    ...commandAttacks(scene),
  ]);
  struck.push(...(await strike(scene, 'open broker', await acks(scene))));
  struck.push(
    ...(await strike(scene, 'open broker', [await everything(scene, rollout(3, two)), takeover(2)])),
  );
  struck.push(...(await clockBack(scene, rollout(3, two))));
  struck.push(...(await afterRestart(scene)));
  // A release is asked for, and what comes is the enemy's.
  await scene.publishRollout(rollout(4, three));
  await scene.until('release 3 is offered', ({ central }) => central?.state === 'offered');
  struck.push(...(await strike(scene, 'open broker', releaseAttacks(scene, three, one))));
  await scene.publishRelease(three, []);
  await scene.until('release 3 is fetched', ({ central }) => central?.state === 'fetching');
  struck.push(...(await strike(scene, 'open broker', chunkAttacks(scene, three, one, endless))));
  // And after all of it, what is right is taken.
  await scene.publishRelease(three);
  await committed(scene, three);
  return struck;
}

async function committed(scene: Scene, release: TestRelease): Promise<void> {
  await scene.until(
    'the release is committed',
    ({ central }) =>
      central?.state === 'committed' && central.running?.sha256 === release.document.artifact.sha256,
  );
}

/** In the right epoch, all numbers: no document is signed that a hub says, so this is for the access rules to keep out. */
async function acknowledgeAll(scene: Scene): Promise<Omit<TrueAcknowledgement, 'neverHeard'>> {
  const { store, sinks } = await scene.status();
  const ranges = [[1, Number.MAX_SAFE_INTEGER]];
  await scene.publish({
    topic: scene.own.ack,
    payload: JSON.stringify({ schemaVersion: 1, epoch: store.epoch, ranges }),
  });
  await scene.alive();
  const waitedBefore = sinks[0]?.outbox.pending ?? 0;
  const after = await scene.status();
  return { waitedBefore, waitedAfter: after.sinks[0]?.outbox.pending ?? 0 };
}

/** What the access rules would keep out, let in: most of it is for nobody who listens here. */
async function everything(scene: Scene, next: RolloutDocument): Promise<Attack> {
  const { store } = await scene.status();
  return {
    name: 'every topic, which the access rules would refuse',
    messages: hostileMessages(scene, next, store.epoch),
    counted: { tooFewSignatures: 3, 'sink.strayAcknowledgements': 1 },
  };
}

/** Every event that waits still does, whatever an enemy acknowledges of what was never sent. */
async function acks(scene: Scene): Promise<Attack[]> {
  const { store } = await scene.status();
  const attacks = ackAttacks(scene, store.epoch);
  return attacks.map((attack) => {
    let pending = 0;
    return {
      ...attack,
      act: async (attacked: Scene) => {
        const { sinks } = await attacked.status();
        const now = sinks[0]?.outbox.pending ?? 0;
        if (now < pending || now === 0)
          throw new Error(`${attack.name}: ${pending} events waited, now ${now}`);
        pending = now;
      },
    };
  });
}

/** The machine's clock is set back by a month, to when a rollout and a command were good that the host has never seen. */
async function clockBack(scene: Scene, next: RolloutDocument): Promise<Struck[]> {
  const { fleet, topics } = scene;
  const at = (days: number): string => new Date(fleet.nowMs - days * DAY_MS).toISOString();
  const then = { issuedAt: at(30), expiresAt: at(23) };
  const command = fleet.command('snooze', 'before-the-clock', {
    arguments: { ms: 60_000, reason: 'x' },
    issuedAt: then.issuedAt,
    expiresAt: new Date(fleet.nowMs - 30 * DAY_MS + 600_000).toISOString(),
  });
  await scene.restart(clockSetTo('-30d'));
  await scene.alive();
  const { at: saysNow } = scene.reported as ReportedDocument;
  if (!(Date.parse(saysNow) < fleet.nowMs - 29 * DAY_MS)) throw new Error(`its clock says ${saysNow}`);
  return strike(scene, 'open broker', [
    {
      name: 'the clock of the machine set back by 30 days: a rollout that was good then',
      messages: [
        {
          topic: topics.rollout('host'),
          payload: fleet.signRollout({ ...next, ...then, version: 50 }),
          retain: true,
        },
      ],
      counted: { expired: 1 },
    },
    {
      name: 'the clock of the machine set back by 30 days: a command that was good then',
      messages: [{ topic: scene.own.command('snooze'), payload: signed(command, fleet.operatorKey) }],
      counted: { expired: 1 },
    },
  ]);
}

/** Nothing of it comes back with the next start, which finds at the broker what the enemy left there. */
async function afterRestart(scene: Scene): Promise<Struck[]> {
  const before = await scene.snapshot();
  await scene.restart();
  await scene.until('what is retained', ({ central }) => (central?.refused['expired'] ?? 0) > 0);
  await scene.alive();
  const after = await scene.snapshot();
  const passed =
    JSON.stringify(before.holds) === JSON.stringify(after.holds) && (after.counts['expired'] ?? 0) > 0;
  const struck: Struck = {
    group: 'open broker',
    name: 'killed and started anew, with all that the enemy left at the broker',
    messages: 0,
    counted: after.counts,
    unchanged: JSON.stringify(before.holds) === JSON.stringify(after.holds),
    passed,
  };
  told(struck);
  return [struck];
}
