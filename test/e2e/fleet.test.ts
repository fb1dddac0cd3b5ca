import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseReported, type ReportedDocument } from '../../core/protocol/reported.ts';
import { parseTopic } from '../../core/protocol/topics.ts';
import { type AccessBroker, login, startAccessBroker } from '../support/access.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** From nothing to a fleet that runs what was signed, and back: every command as docs/MODEL_DISTRIBUTION.md has it. */

const SITE = 'berlin';
const HOSTS = ['3f2a9c1d5b7e8f60', 'web-2'] as const;
const INTERVAL_MS = 200;
/** An agent that never gets there is named with what it says. */
const WITHIN_MS = 60_000;
const PAST_ROWS = 1500;
const LIVE_ROWS = 3000;
const GRID = 'detector: metric-forests\ntrees: 2\nrowsPerTree: 32\nwindows: 5/20\n';
const QUICK =
  '--stages 100 --soak 0s --jitter 0s --shadow-rows 300 --probation 1s --watchdog 1m --timeout 60s'.split(
    ' ',
  );

const start = (...args: string[]): Run => {
  const run = runExecutable(args);
  onTestFinished(async () => {
    run.child.kill('SIGKILL');
    await run.ended;
  });
  return run;
};

async function edgewood(...args: string[]): Promise<string> {
  const run = start(...args);
  const code = await run.ended;
  expect([args, code, code === 0 ? '' : run.stderr()]).toEqual([args, 0, '']);
  return run.stdout();
}

const readJson = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

/** Rows of a host, five a second; with `busy`, as never before for a moment. */
function writeRows(
  path: string,
  seed: number,
  about: { readonly rows: number; readonly startMs: number; readonly busy: boolean },
): string {
  const { rows, startMs, busy } = about;
  const columns = smallSeries(rows, seed);
  if (busy) {
    const peaks = [99, 99, 2_000_000, 0];
    for (const [i, column] of columns.entries()) column.fill(peaks[i] as number, 1100, 1110);
  }
  const lines = Array.from({ length: rows }, (_, t) =>
    [new Date(startMs + t * INTERVAL_MS).toISOString(), ...columns.map((column) => column[t])].join(','),
  );
  writeFileSync(
    path,
    [`timestamp,${SMALL_SCHEMA.map(({ name }) => name).join(',')}`, ...lines, ''].join('\n'),
  );
  return path;
}

/** Somebody who is enrolled, and listens. */
class Listener {
  readonly topics: string[] = [];
  readonly reports = new Map<string, ReportedDocument>();
  #look: () => void = () => {};

  static async of(running: AccessBroker, folder: string): Promise<Listener> {
    const secret = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
    const credentials = { username: secret('mqtt.user'), password: secret('mqtt.password') };
    const { client } = await login(running, credentials);
    const listener = new Listener();
    client.on('message', (topic, payload) => listener.#take(topic, payload));
    await client.subscribeAsync(`edgewood/1/${SITE}/#`, { qos: 1 });
    return listener;
  }

  #take(topic: string, payload: Buffer): void {
    this.topics.push(topic);
    const parsed = parseTopic(topic);
    if (parsed?.kind === 'reported') {
      const report = parseReported(payload.toString());
      if ('fault' in report) throw new Error(`${topic}: ${report.fault}`);
      this.reports.set(report.hostId, report);
    }
    this.#look();
  }

  /** Resolves once it holds of what each host has retained. */
  everyHost(what: (report: ReportedDocument) => boolean): Promise<void> {
    return this.until(() =>
      HOSTS.every((id) => {
        const report = this.reports.get(id);
        return report !== undefined && what(report);
      }),
    );
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`not yet: ${JSON.stringify([...this.reports.values()])}`));
      }, WITHIN_MS);
      this.#look = () => {
        if (!condition()) return;
        clearTimeout(late);
        resolve();
      };
      this.#look();
    });
  }
}

describe.skipIf(!hasExecutable || !hasMosquitto)('a fleet', () => {
  test('from nothing to release 1 on every host, to release 2, and back; by passwords and certificates, with nothing refused', {
    timeout: 240_000,
  }, async () => {
    const home = temporaryDirectory();
    const at = (...names: string[]): string => join(home, ...names);
    const json = async (...args: string[]) => readJson(await edgewood(...args, '--json'));

    // Who may do what at the broker.
    const broker = ['--broker-dir', at('broker')];
    await edgewood('fleet', 'broker', '--out', at('broker'), '--site', SITE, '--tls-name', 'localhost');
    for (const role of ['hub', 'operator', 'releaser', 'viewer']) {
      await edgewood('fleet', 'enroll', 'main', '--role', role, ...broker, '--out', at(role));
    }
    for (const [i, id] of HOSTS.entries()) {
      const by = i === 0 ? [] : ['--certificate'];
      await edgewood('fleet', 'enroll', id, '--site', SITE, ...broker, '--out', at(id), ...by);
    }
    const running = await startAccessBroker(at('broker'));
    const as = (role: string): string[] => [
      ...['--broker', `mqtts://localhost:${running.passwordPort}`, '--ca-file', at(role, 'ca.pem')],
      ...['--username-file', at(role, 'mqtt.user'), '--password-file', at(role, 'mqtt.password')],
    ];
    const operator = await Listener.of(running, at('operator'));
    const viewer = await Listener.of(running, at('viewer'));
    const hub = start('hub', ...as('hub'), '--site', SITE, '--state-dir', at('hub-state'));
    await hub.logged('hub.listening');

    // Who may sign what.
    await edgewood('keys', 'create', 'ann', '--out', home);
    await edgewood('keys', 'create', 'ops', '--out', home);
    const root = at('root.1.json');
    const { sha256: pin } = await json(
      ...['keys', 'root', 'init', '--fleet', 'acme', '--root-key', at('ann.pub'), '--threshold', '1'],
      ...['--release-key', at('ann.pub'), '--rollout-key', at('ops.pub'), '--out', root],
    );
    await edgewood('keys', 'root', 'sign', root, '--key', at('ann.key'));

    // Hosts with a past, of which one alert is told.
    const agents = new Map<string, Run>();
    const live = (id: string): Run => {
      const file = writeRows(at(`${id}.live.csv`), 7, { rows: LIVE_ROWS, startMs: Date.now(), busy: false });
      const agent = start('agent', '--config', at(`${id}.yaml`), '--source', `replay:${file}`);
      agents.set(id, agent);
      return agent;
    };
    for (const [i, id] of HOSTS.entries()) {
      const file = (name: string): string => at(id, name);
      const credentials =
        i === 0
          ? `usernameFile: ${file('mqtt.user')}, passwordFile: ${file('mqtt.password')}`
          : `certFile: ${file('mqtt.crt')}, keyFile: ${file('mqtt.key')}`;
      const port = i === 0 ? running.passwordPort : running.certificatePort;
      writeFileSync(
        at(`${id}.yaml`),
        [
          `site: ${SITE}`,
          `hostId: ${id}`,
          `stateDir: ${at(`${id}.state`)}`,
          'learning: { warmup: 2m, refit: off }',
          `central: { root: ${root}, rootSha256: ${pin}, model: web }`,
          'sinks:',
          `  - { type: mqtt, url: "mqtts://localhost:${port}", caFile: ${file('ca.pem')}, ${credentials}, acknowledge: hub }`,
          '',
        ].join('\n'),
      );
      const past = writeRows(at(`${id}.csv`), 5 + i, {
        rows: PAST_ROWS,
        startMs: Date.now() - PAST_ROWS * INTERVAL_MS,
        busy: true,
      });
      // It ends when the hub has acknowledged every event.
      await edgewood('agent', '--config', at(`${id}.yaml`), '--source', `replay:${past}`, '--pace', 'max');
      live(id);
    }
    await operator.everyHost(({ root: trusted, running: model }) => trusted === 1 && model !== null);

    // A model of theirs, signed and rolled out.
    writeFileSync(at('grid.yaml'), GRID);
    const registry = ['--registry', at('registry')];
    const recordings = HOSTS.map((id) => at(`${id}.csv`));
    const desk = ['--root', root, '--key', at('ops.key'), ...as('operator'), ...registry];
    const publish = async (version: number): Promise<string> => {
      const name = `web@${version}`;
      const options = ['--name', 'web', '--grid', at('grid.yaml'), '--seed', String(version), ...registry];
      const { sha256 } = await json('train', ...recordings, ...options);
      const release = ['--root', root, ...registry];
      await edgewood('release', 'create', name, '--key', at('ann.key'), ...release);
      await edgewood('release', 'publish', name, ...release, ...as('releaser'), '--site', SITE);
      return String(sha256);
    };
    const rollOut = async (version: number, sha256: string): Promise<void> => {
      await edgewood('rollout', 'start', `web@${version}`, '--site', SITE, ...QUICK, ...desk);
      await edgewood('rollout', 'advance', 'web', '--watch', '--every', '200ms', ...desk);
      // Whoever advances waits for what hosts say of themselves: nothing is left to wait for.
      await operator.everyHost(
        ({ state, slots, release }) =>
          state === 'committed' && slots.central === sha256 && release?.version === version,
      );
    };
    const inFleet = async (state: string, release: number): Promise<void> => {
      const hosts = async (): Promise<unknown> =>
        (await json('fleet', 'status', '--state-dir', at('hub-state')))['hosts'];
      const expected = HOSTS.map((id) =>
        expect.objectContaining({
          id,
          presence: 'online',
          rollout: expect.objectContaining({ state, release }),
        }),
      );
      // The hub writes what it heard in its own time.
      await expect.poll(hosts, { timeout: 30_000, interval: 200 }).toEqual(expected);
    };

    const first = await publish(1);
    await rollOut(1, first);
    await inFleet('committed', 1);
    const second = await publish(2);
    expect(second).not.toBe(first);
    await rollOut(2, second);
    await inFleet('committed', 2);

    // And back to the one before; a key without that right is told at once, in a dry run too.
    const wrongKey = desk.map((word) => (word === at('ops.key') ? at('ann.key') : word));
    const wrong = runExecutable(['rollout', 'abort', 'web', '--dry-run', ...wrongKey]);
    expect(await wrong.ended).toBe(2);
    expect(wrong.stderr()).toMatch(/ann\.key \(\w{8}\) may not sign rollouts: the root names ops/);
    expect(await edgewood('rollout', 'abort', 'web', '--why', 'too loud at night', ...desk)).toContain(
      'every host goes back to web@1, version',
    );
    await operator.everyHost(
      ({ state, slots, running: model }) =>
        state === 'rolled_back' && slots.central === first && model?.sha256 === first,
    );
    await inFleet('rolled_back', 2);
    const ofHost = (id: string) => json('status', '--state-dir', at(`${id}.state`));
    for (const id of HOSTS) {
      expect(await ofHost(id)).toMatchObject({
        model: { slot: 'central' },
        central: { root: 1, state: 'rolled_back', running: { sha256: first, name: 'web', version: '1' } },
      });
      expect(await edgewood('status', '--state-dir', at(`${id}.state`))).toContain(
        'release 2 was taken back',
      );
    }

    // A crash changes nothing of that.
    const [crashed] = HOSTS;
    const before = operator.reports.get(crashed)?.bootId;
    const killed = agents.get(crashed) as Run;
    killed.child.kill('SIGKILL');
    await killed.ended;
    live(crashed);
    await operator.until(() => operator.reports.get(crashed)?.bootId !== before);
    expect(operator.reports.get(crashed)).toMatchObject({
      state: 'rolled_back',
      slots: { central: first },
      running: { sha256: first, slot: 'central' },
    });

    // Everybody got what they need, and no more.
    expect(running.mosquitto.said()).not.toContain('Denied');
    const alerts = /^edgewood\/1\/berlin\/a\/[^/]+\/alert\/(info|warning|critical)$/;
    expect(new Set(viewer.topics.map((topic) => topic.split('/')[4]))).toEqual(new Set(HOSTS));
    expect(viewer.topics.filter((topic) => !alerts.test(topic))).toEqual([]);
    for (const agent of agents.values()) {
      expect(agent.stderr()).not.toMatch(/central\.(refused|fault)|inboundRejected|mqtt\.disconnected/);
    }
  });
});
