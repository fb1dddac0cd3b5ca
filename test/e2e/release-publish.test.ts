import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BrokerClient } from '../../cli/broker/client.ts';
import { siteTopics } from '../../core/protocol/topics.ts';
import { artifactSha256 } from '../../models/artifact.ts';
import { exportModel } from '../../models/exchange/export.ts';
import { addSignature, documentOf, envelopeText, openEnvelope, seal } from '../../models/trust/envelope.ts';
import { readPrivateKey } from '../../models/trust/keys.ts';
import { tinyIsolationForest } from '../support/artifacts.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(!hasExecutable || !hasMosquitto)('release publish', { timeout: 240_000 }, () => {
  test('puts roots, chunks and the release on a real broker, each once', async () => {
    const mosquitto = await startMosquitto();
    cleanups.push(() => mosquitto.stop());
    const directory = temporaryDirectory();
    const registry = join(directory, 'registry');
    const at = (name: string): string => join(directory, name);
    mkdirSync(at('home'));
    const run = async (...args: string[]) => {
      const it = runExecutable(args, { EDGEWOOD_REGISTRY: registry, HOME: at('home') });
      return { code: await it.ended, out: it.stdout(), err: it.stderr() };
    };
    const done = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await run(...args);
      expect([code, err]).toEqual([0, expect.any(String)]);
      return out;
    };
    await done('keys', 'create', 'ann', '--out', directory);
    const [key, pub] = [at('ann.key'), at('ann.pub')];
    const [one, two] = [at('root.1.json'), at('root.2.json')];
    await done(
      ...['keys', 'root', 'init', '--fleet', 'acme', '--root-key', pub, '--threshold', '1'],
      ...['--release-key', pub, '--out', one],
    );
    await done('keys', 'root', 'sign', one, '--key', key);
    await done('keys', 'root', 'next', one, '--out', two);
    await done('keys', 'root', 'sign', two, '--key', key);
    writeFileSync(at('forest.json'), JSON.stringify(exportModel(tinyIsolationForest())));
    await done('models', 'import', at('forest.json'), '--name', 'web');
    await done('release', 'create', 'web@1', '--root', two, '--key', key);

    const broker = `mqtt://127.0.0.1:${mosquitto.port}`;
    const publish = [
      'release',
      'publish',
      'web@1',
      '--root',
      two,
      '--root',
      one,
      '--broker',
      broker,
      '--json',
    ];
    const sites = ['--site', 'lab', '--site', 'berlin'];
    const published = async (...args: string[]) => JSON.parse(await done(...publish, ...args)).sites;
    const client = await BrokerClient.connect(
      { type: 'mqtt', name: 'broker', url: broker },
      { purpose: 'test' },
    );
    cleanups.push(() => client.close());

    const file = openEnvelope(readFileSync(join(registry, 'releases', 'web@1.json')));
    const document = documentOf(file, 'release');
    const topics = siteTopics('lab');
    const names = [
      topics.root(1),
      topics.root(2),
      topics.release('web', 1),
      ...document.artifact.chunks.map((_, i) => topics.chunk(document.artifact.sha256, i)),
    ];
    const retained = async () => (await client.readRetained(names)).found;

    expect(await published(...sites, '--dry-run')).toMatchObject([
      { site: 'lab', published: names.length, there: 0 },
      { site: 'berlin', published: names.length, there: 0 },
    ]);
    expect((await retained()).size).toBe(0);
    const [lab] = await published(...sites);
    const found = await retained();
    expect([...found.keys()].sort()).toEqual([...names].sort());
    expect(lab.bytes).toBe([...found.values()].reduce((sum, bytes) => sum + bytes.length, 0));
    expect(Buffer.from(found.get(topics.release('web', 1)) ?? []).toString()).toBe(
      envelopeText(file.envelope),
    );
    expect(openEnvelope(found.get(topics.root(2)) ?? Buffer.alloc(0)).sha256).toBe(
      openEnvelope(readFileSync(two)).sha256,
    );
    const chunks = document.artifact.chunks.map(
      (_, i) => found.get(topics.chunk(document.artifact.sha256, i)) ?? [],
    );
    expect(artifactSha256(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))))).toBe(
      document.artifact.sha256,
    );
    expect(await published(...sites)).toMatchObject([
      { published: 0, bytes: 0, there: names.length },
      { published: 0, bytes: 0, there: names.length },
    ]);

    // What somebody emptied, cut or wrote over is put right; what else is there stays untouched.
    await client.publish(topics.root(1), '', { retain: true });
    await client.publish(topics.chunk(document.artifact.sha256, 0), 'garbage', { retain: true });
    await client.publish(topics.release('web', 1), '{}', { retain: true });
    expect(await published('--site', 'lab')).toMatchObject([{ published: 3, there: names.length - 3 }]);
    expect(await retained()).toEqual(found);

    // Another release of this version, as well signed: hosts may have taken it.
    const other = addSignature(
      seal({ ...document, minimumAgent: '0.0.1' }),
      readPrivateKey(readFileSync(key, 'utf8'), null),
    );
    await client.publish(topics.release('web', 1), envelopeText(other), { retain: true });
    expect(await run(...publish, '--site', 'lab')).toMatchObject({
      code: 1,
      err: expect.stringContaining('another document is published there, signed as well as this one'),
    });

    const { entries } = JSON.parse(await done('models', 'log', 'web', '--json'));
    expect(entries.map(({ action }: { action: string }) => action)).toEqual([
      'register',
      'release',
      'publish-release',
      'publish-release',
    ]);
    expect(
      await run('release', 'publish', 'web@1', '--root', one, '--broker', 'mqtt://127.0.0.1:1'),
    ).toMatchObject({
      code: 3,
    });
    expect(await run('release', 'publish', 'web@1', '--root', one)).toMatchObject({
      code: 2,
      err: expect.stringContaining('which broker?'),
    });
  });

  test('what hosts would refuse is not published', async () => {
    const directory = temporaryDirectory();
    const at = (name: string): string => join(directory, name);
    const run = async (...args: string[]) => {
      const it = runExecutable(args, { EDGEWOOD_REGISTRY: at('registry'), HOME: directory });
      return { code: await it.ended, err: it.stderr() };
    };
    await run('keys', 'create', 'ann', '--out', directory);
    const init = ['keys', 'root', 'init', '--fleet', 'acme', '--root-key', at('ann.pub'), '--threshold', '1'];
    await run(...init, '--release-key', at('ann.pub'), '--out', at('root.json'));
    await run('keys', 'root', 'sign', at('root.json'), '--key', at('ann.key'));
    writeFileSync(at('forest.json'), JSON.stringify(exportModel(tinyIsolationForest())));
    await run('models', 'import', at('forest.json'), '--name', 'web');
    await run('release', 'create', 'web@1', '--root', at('root.json'));
    // Nobody is asked at that address: the release is looked at first.
    const publish = [
      'release',
      'publish',
      'web@1',
      '--root',
      at('root.json'),
      '--broker',
      'mqtt://127.0.0.1:1',
    ];
    expect(await run(...publish)).toMatchObject({
      code: 4,
      err: expect.stringContaining('0 of the 1 signatures'),
    });
  });
});
