import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { MqttClient } from 'mqtt';
import { hashPassword } from '../../../models/access/password.ts';
import type { Role } from '../../../models/access/roles.ts';
import { publishCode, runAccessBroker } from '../../support/access.ts';
import { runExecutable } from '../../support/executable.ts';
import type { TestRelease } from '../../support/signed.ts';
import { type Attack, type Struck, strike } from './attack.ts';
import { hostileMessages } from './everything.ts';
import type { SceneResult } from './open.ts';
import { GATE, HOST, Scene } from './scene.ts';

const SITE = 'berlin';
const NOT_AUTHORISED = 135;
/** Sees and says everything: the proof's own. */
const OBSERVER = { username: 'observer', password: 'of the proof alone' };

/** One who is let in, and is an enemy. */
interface Enemy {
  readonly role: Role;
  readonly name: string;
  /** Topics below the site that he may write: what comes there is for the agent to refuse. */
  readonly writes: RegExp;
  readonly reads: RegExp;
  readonly counted: Readonly<Record<string, number>>;
}

const OWN = /^a\/h2\//;
const RELEASED = 'root/|m/[^/]+/release/|b/';
const ENEMIES: readonly Enemy[] = [
  { role: 'viewer', name: 'eve', writes: /$^/, reads: /^a\/[^/]+\/alert\//, counted: {} },
  { role: 'agent', name: 'h2', writes: OWN, reads: new RegExp(`^(a/h2/|${RELEASED}|m/)`), counted: {} },
  {
    role: 'operator',
    name: 'oscar',
    writes: /^(a\/[^/]+\/cmd\/|m\/[^/]+\/rollout$)/,
    reads: new RegExp(`^(a/|hub/|${RELEASED}|m/)`),
    // His password lets him write, and without keys it is worth nothing.
    counted: { tooFewSignatures: 2 },
  },
  {
    role: 'releaser',
    name: 'ron',
    writes: new RegExp(`^(${RELEASED})`),
    reads: new RegExp(`^(${RELEASED})`),
    counted: { tooFewSignatures: 1 },
  },
];

export interface Refused {
  readonly role: string;
  readonly tried: number;
  readonly refusedByTheBroker: number;
  readonly let: readonly string[];
  readonly read: number;
}

/** A broker with the rules that the executable itself has written. */
export async function accessRules(): Promise<SceneResult & { readonly roles: readonly Refused[] }> {
  const home = mkdtempSync(join(tmpdir(), 'edgewood-access-'));
  const out = join(home, 'broker');
  await edgewood('fleet', 'broker', '--out', out, '--site', SITE, '--tls-name', 'localhost');
  const enroll = (role: Role, name: string): Promise<void> => {
    const as = role === 'agent' ? ['--site', SITE] : ['--role', role];
    return edgewood('fleet', 'enroll', name, ...as, '--broker-dir', out, '--out', join(home, name));
  };
  await enroll('agent', HOST);
  for (const { role, name } of ENEMIES) await enroll(role, name);
  appendFileSync(join(out, 'mosquitto', 'passwords'), `observer:${hashPassword(OBSERVER.password)}\n`);
  appendFileSync(join(out, 'mosquitto', 'acl'), '\nuser observer\ntopic readwrite #\n');
  const { mosquitto, passwordPort, ca } = await runAccessBroker(out);
  const connect = () => connectTls({ port: passwordPort, host: 'localhost', ca: readFileSync(ca) });
  const at = (file: string): string => join(home, HOST, file);
  const scene = new Scene({
    site: SITE,
    sink: `url: "mqtts://localhost:${passwordPort}", caFile: ${at('ca.pem')}, usernameFile: ${at('mqtt.user')}, passwordFile: ${at('mqtt.password')}`,
    connect,
    options: OBSERVER,
  });
  try {
    await scene.begin(600);
    const roles: Refused[] = [];
    const attacks = await attackAll(scene, home, roles);
    const peakMb = scene.peakMb();
    const logBytes = scene.run.stderr().length;
    return {
      attacks,
      roles,
      peakMb,
      logBytes,
      refusedInReported: scene.reported?.refused ?? {},
      alerts: await scene.account(),
    };
  } finally {
    await scene.end();
    await mosquitto.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function edgewood(...args: string[]): Promise<void> {
  const run = runExecutable(args);
  const code = await run.ended;
  if (code !== 0) throw new Error(`edgewood ${args.join(' ')} ended with ${code}: ${run.stderr()}`);
}

async function attackAll(scene: Scene, home: string, roles: Refused[]): Promise<Struck[]> {
  const { fleet } = scene;
  await scene.trustTwo();
  const [one, two] = [fleet.releaseOf(scene.model, 1), fleet.releaseOf(scene.model, 2)];
  const committed = (of: TestRelease): Promise<unknown> =>
    scene.until('it is committed', ({ central }) => central?.running?.sha256 === of.document.artifact.sha256);
  await scene.publishRelease(one);
  await scene.publishRollout(fleet.rollout(1, one, { gate: GATE }));
  await committed(one);
  const { store } = await scene.status();
  const messages = hostileMessages(scene, fleet.rollout(2, two, { gate: GATE }), store.epoch);
  const struck = await strike(
    scene,
    'access rules',
    ENEMIES.map(
      (enemy): Attack => ({
        name: `a hostile ${enemy.role} tries every topic`,
        counted: enemy.counted,
        act: async () => void roles.push(await tryAll(scene, home, enemy, messages)),
      }),
    ),
  );
  await scene.publishRelease(two);
  await scene.publishRollout(fleet.rollout(2, two, { gate: GATE }));
  await committed(two);
  return struck;
}

/** @throws Error where the broker lets through what it should not, or refuses what is his */
async function tryAll(
  scene: Scene,
  home: string,
  { role, name, writes, reads }: Enemy,
  messages: ReturnType<typeof hostileMessages>,
): Promise<Refused> {
  const secret = (file: string): string => readFileSync(join(home, name, file), 'utf8').trim();
  const client: MqttClient = await scene.login({
    username: secret('mqtt.user'),
    password: secret('mqtt.password'),
  });
  const base = `edgewood/1/${SITE}/`;
  const read = new Set<string>();
  client.on('message', (topic) => read.add(topic));
  const filters = ['#', '+/#', 'edgewood/#', `${base}#`, `${base}a/+/#`, '$share/group/#', '$SYS/#'];
  for (const filter of [...filters, ...messages.map(({ topic }) => topic)]) {
    await client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
  }
  const heard = scene.heard.size;
  let refused = 0;
  const let_: string[] = [];
  for (const { topic, payload } of messages) {
    const code = await publishCode(client, topic, payload.toString());
    if (code === NOT_AUTHORISED) refused++;
    else if (code === null) let_.push(topic);
    else throw new Error(`${role} on ${topic}: ${code}`);
  }
  // Something to overhear.
  await scene.until('another alert', () => scene.heard.size > heard);
  await client.endAsync();
  const wrong = let_.filter((topic) => !topic.startsWith(base) || !writes.test(topic.slice(base.length)));
  const overheard = [...read].filter(
    (topic) => !topic.startsWith(base) || !reads.test(topic.slice(base.length)),
  );
  if (wrong.length + overheard.length > 0) {
    throw new Error(
      `${role}: wrote ${wrong.join(', ') || 'nothing'}, read ${overheard.join(', ') || 'nothing'} that is not his`,
    );
  }
  return { role, tried: messages.length, refusedByTheBroker: refused, let: let_, read: read.size };
}
