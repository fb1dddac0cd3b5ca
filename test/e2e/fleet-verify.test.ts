import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import type { ReportedDocument } from '../../core/protocol/reported.ts';
import { agentTopics, siteTopics } from '../../core/protocol/topics.ts';
import { documentOf, openEnvelope } from '../../models/trust/envelope.ts';
import { INTERVAL_MS, startAgent } from '../proofs/rollout/agents.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { recordingCsv } from '../support/recording.ts';
import { SITE } from '../support/rollout-scene.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import { signed, TestFleet, type TestKey } from '../support/signed.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const MODEL = 'host';
const QUICK = ['--jitter', '0s', '--probation', '2s', '--shadow-rows', '300', '--timeout', '5m'];

interface Verified {
  readonly checks: Readonly<
    Record<
      string,
      {
        checked: number;
        fine: number;
        findings: { finding: string; subject: string; says: string; repaired: boolean }[];
      }
    >
  >;
  readonly skipped: Readonly<Record<string, string>>;
}

describe.skipIf(!hasExecutable || !hasMosquitto)('fleet verify', { timeout: 240_000 }, () => {
  test('a broker that lost everything is told of and put right, and an agent amid its fetch goes on', async () => {
    const directory = temporaryDirectory();
    const at = (name: string): string => join(directory, name);
    const fleet = new TestFleet(Date.now());
    const mosquitto = await startMosquitto();
    cleanups.push(() => mosquitto.stop());
    const broker = `mqtt://127.0.0.1:${mosquitto.port}`;
    writeFileSync(at('root.1.json'), fleet.root);
    const keyFile = (name: string, key: TestKey): string => {
      writeFileSync(at(name), key.private.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      return at(name);
    };
    const [releaseKey, rolloutKey] = [
      keyFile('rel.key', fleet.releaseKey),
      keyFile('ops.key', fleet.operatorKey),
    ];
    const run = async (...args: string[]) => {
      const it = runExecutable(args, {
        HOME: directory,
        EDGEWOOD_REGISTRY: at('registry'),
        EDGEWOOD_BROKER: broker,
        EDGEWOOD_SITE: SITE,
      });
      return { code: await it.ended, out: it.stdout(), err: it.stderr() };
    };
    const done = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await run(...args);
      expect([code, err]).toEqual([0, expect.any(String)]);
      return out;
    };
    const root = ['--root', at('root.1.json')];
    const client = await connectAsync(broker, { protocolVersion: 5, reconnectPeriod: 100 });
    cleanups.push(() => client.endAsync(true));
    expect(await run('fleet', 'verify')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/no hub has written[\s\S]*nothing was published from[\s\S]*no rollouts in/),
    });

    // Large enough for several chunks.
    writeFileSync(at('grid.yaml'), 'detector: [metric-forests]\ntrees: [100]\nrowsPerTree: [256]\n');
    const rows = 1500;
    const recording = {
      names: SMALL_SCHEMA.map(({ name }) => name),
      timesMs: Float64Array.from({ length: rows }, (_, i) => Date.now() + (i - rows) * INTERVAL_MS),
      columns: smallSeries(rows, 7),
      labels: null,
    };
    writeFileSync(at('recording.csv'), recordingCsv(recording));
    await done('train', at('recording.csv'), '--name', MODEL, '--grid', at('grid.yaml'));
    // However busy this machine is.
    const limits = ['--score-ms', '10000'];
    await done('release', 'create', `${MODEL}@1`, ...root, '--key', releaseKey, ...limits);
    await done('release', 'publish', `${MODEL}@1`, ...root);
    const topics = siteTopics(SITE);
    const { artifact } = documentOf(
      openEnvelope(readFileSync(at(`registry/releases/${MODEL}@1.json`))),
      'release',
    );
    const chunks = artifact.chunks.map((_, i) => topics.chunk(artifact.sha256, i));
    expect(chunks.length).toBeGreaterThan(1);
    const agent = await startAgent(0, {
      seed: 0,
      directory,
      port: mosquitto.port,
      rootPath: at('root.1.json'),
      pin: fleet.pin,
    });
    cleanups.push(() => agent.stop());
    const reached = await states(client, 'real-0');
    agent.pause();
    await done('rollout', 'start', `${MODEL}@1`, ...root, '--key', rolloutKey, '--stages', '100', ...QUICK);
    // One piece is not there: the agent can't finish.
    await client.publishAsync(chunks.at(-1) as string, '', { qos: 1, retain: true });
    agent.resume();
    await reached('fetching');

    await mosquitto.restart();
    const all = [topics.root(1), ...chunks, topics.release(MODEL, 1)];
    const verify = async (...args: string[]) => {
      const { code, out, err } = await run('fleet', 'verify', '--json', ...args);
      expect(err).toBe('');
      return { code, ...(JSON.parse(out) as Verified) };
    };
    const lost = await verify();
    expect([lost.code, Object.keys(lost.checks), Object.keys(lost.skipped)]).toEqual([
      1,
      ['releases', 'rollouts'],
      ['hosts'],
    ]);
    const subjects = (finding: string, check = 'releases', from = lost) =>
      from.checks[check]?.findings.filter((one) => one.finding === finding).map(({ subject }) => subject);
    expect(subjects('missing')?.sort()).toEqual(all.toSorted());
    expect(subjects('missing', 'rollouts')).toEqual([topics.rollout(MODEL)]);
    const told = await run('fleet', 'verify', '--limit', '100');
    expect(told.code).toBe(1);
    for (const topic of all) expect(told.out).toContain(`missing  ${topic}\n`);

    const repaired = await done('fleet', 'verify', '--repair');
    expect(repaired).toContain(
      `✓ releases: 0 of ${all.length} as they were published, ${all.length} put back\n`,
    );
    expect(repaired).toContain('✓ rollouts: 0 of 1 as they were published, 1 put back\n');
    await reached('committed');
    expect(await verify()).toMatchObject({
      code: 0,
      checks: {
        releases: { checked: all.length, fine: all.length, findings: [] },
        rollouts: { checked: 1, fine: 1, findings: [] },
      },
    });

    // What somebody wrote over is put right as well; a newer rollout of the fleet's own keys is not.
    await client.publishAsync(topics.root(1), 'garbage', { qos: 1, retain: true });
    await client.publishAsync(chunks[0] as string, 'garbage', { qos: 1, retain: true });
    const older = fleet.rollout(99, { document: { version: 1, artifact }, envelope: fleet.root } as never);
    const newer = signed(older, fleet.operatorKey);
    await client.publishAsync(topics.rollout(MODEL), newer, { qos: 1, retain: true });
    const again = await verify('--repair');
    expect(again.code).toBe(1);
    expect(subjects('differs', 'releases', again)?.sort()).toEqual([topics.root(1), chunks[0]].sort());
    expect(again.checks['releases']?.findings.every(({ repaired: yes }) => yes)).toBe(true);
    expect(again.checks['rollouts']?.findings).toEqual([
      expect.objectContaining({
        finding: 'stays',
        says: expect.stringMatching(/version 99 lies there.*issued 1/),
      }),
    ]);
    expect((await verify('--check', 'releases')).code).toBe(0);
    // Nobody's: it makes way.
    await client.publishAsync(topics.rollout(MODEL), signed(older, fleet.releaseKey), {
      qos: 1,
      retain: true,
    });
    expect((await verify('--repair')).code).toBe(0);

    // A broker where this user may only look.
    const strict = await startMosquitto(['allow_anonymous true', 'acl_file @/acl'], {
      acl: 'topic read edgewood/#\n',
    });
    cleanups.push(() => strict.stop());
    const refused = await run('fleet', 'verify', '--repair', '--broker', `mqtt://127.0.0.1:${strict.port}`);
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(
      /missing: .*Roots and releases take a releaser's credentials, rollouts an operator's/,
    );

    // The registry itself has lost a file.
    rmSync(at(`registry/releases/${MODEL}@1.json`));
    expect(await run('fleet', 'verify')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/host@1\.json can't be read \(ENOENT\)/),
    });
  });
});

const GIVEN_UP = ['rejected', 'rolled_back', 'timed_out'];

/** What the agent reported so far and from now on: resolves once it was in a state. */
async function states(client: MqttClient, hostId: string): Promise<(state: string) => Promise<void>> {
  const seen = new Map<string, ReportedDocument>();
  const waiting: (() => void)[] = [];
  client.on('message', (_topic, payload) => {
    if (payload.length === 0) return;
    const reported = JSON.parse(payload.toString()) as ReportedDocument;
    seen.set(reported.state, reported);
    for (const look of waiting) look();
  });
  await client.subscribeAsync(agentTopics(SITE, hostId).reported, { qos: 1 });
  return (state) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (seen.has(state)) resolve();
        const bad = GIVEN_UP.find((one) => seen.has(one));
        if (bad !== undefined) reject(new Error(`${bad}: ${JSON.stringify(seen.get(bad)?.error)}`));
      };
      waiting.push(look);
      look();
    });
}
