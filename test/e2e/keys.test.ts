import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportModel } from '../../models/exchange/export.ts';
import { tinyIsolationForest } from '../support/artifacts.ts';
import { EXECUTABLE, hasExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A machine: a directory, and the executable; a registry only where it is said. */
function machine(registry?: string) {
  const directory = temporaryDirectory();
  const home = join(directory, 'home');
  mkdirSync(home);
  const run = (...args: string[]): Promise<{ code: number | null; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = spawn(EXECUTABLE, args, {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: home,
          EDGEWOOD_CONFIG: '',
          ...(registry !== undefined && { EDGEWOOD_REGISTRY: registry }),
        },
      });
      let [out, err] = ['', ''];
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        err += chunk;
      });
      child.once('close', (code) => resolve({ code, out, err }));
    });
  return { directory, path: (name: string) => join(directory, name), run, home };
}

type Machine = ReturnType<typeof machine>;
const carry = (file: string, from: Machine, to: Machine): void =>
  copyFileSync(from.path(file), to.path(file));

describe.skipIf(!hasExecutable)('keys', { timeout: 240_000 }, () => {
  test('a pair: private for its owner only, never written over, refused once others may read it', async () => {
    const { run, path } = machine();
    const made = await run('keys', 'create', 'ann', '--json');
    expect(made).toMatchObject({ code: 0, err: '' });
    const { id } = JSON.parse(made.out);
    expect(statSync(path('ann.key')).mode & 0o777).toBe(0o600);
    const before = readFileSync(path('ann.key'));
    for (const gone of [[], ['ann.key']]) {
      for (const file of gone) writeFileSync(path(file), before);
      expect(await run('keys', 'create', 'ann')).toMatchObject({
        code: 2,
        err: expect.stringContaining('ann.key is there already'),
      });
    }
    expect(readFileSync(path('ann.key')).equals(before)).toBe(true);
    expect(await run('keys', 'create', '../ann')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no name'),
    });

    const { fingerprints } = JSON.parse(
      (await run('keys', 'fingerprint', 'ann.key', 'ann.pub', '--json')).out,
    );
    expect(fingerprints.map((one: { id: string }) => one.id)).toEqual([id, id]);
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(path('ann.key'), mode);
      expect(await run('keys', 'fingerprint', 'ann.key')).toMatchObject({
        code: 2,
        err: expect.stringMatching(/ann\.key can be read by others \(mode 0\d+\).*chmod 600/),
      });
    }
  });

  test('a passphrase comes from a file of its own', async () => {
    const { run, path } = machine();
    writeFileSync(path('words'), 'correct horse\n', { mode: 0o600 });
    expect((await run('keys', 'create', 'ann', '--passphrase-file', 'words')).code).toBe(0);
    expect(readFileSync(path('ann.key'), 'utf8')).toContain('ENCRYPTED');
    expect(await run('keys', 'fingerprint', 'ann.key')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no passphrase is given'),
    });
    expect((await run('keys', 'fingerprint', 'ann.key', '--passphrase-file', 'words')).code).toBe(0);
    writeFileSync(path('words'), 'wrong');
    expect(await run('keys', 'fingerprint', 'ann.key', '--passphrase-file', 'words')).toMatchObject({
      code: 2,
    });
    chmodSync(path('words'), 0o644);
    expect(await run('keys', 'create', 'bob', '--passphrase-file', 'words')).toMatchObject({ code: 2 });
    expect(existsSync(path('bob.key'))).toBe(false);
  });
});

/** Three people with a machine each; ann's has the registry. Root 1: 2 of 3 sign roots, 2 of 2 releases. */
async function fleet() {
  const registry = join(temporaryDirectory(), 'registry');
  const [ann, bob, cyd] = [machine(registry), machine(), machine()];
  for (const [name, one] of [
    ['ann', ann],
    ['bob', bob],
    ['cyd', cyd],
  ] as const) {
    expect((await one.run('keys', 'create', name)).code).toBe(0);
    if (one !== ann) carry(`${name}.pub`, one, ann);
  }
  const init = await ann.run(
    ...['keys', 'root', 'init', '--fleet', 'acme', '--threshold', '2'],
    ...['--root-key', 'ann.pub', '--root-key', 'bob.pub', '--root-key', 'cyd.pub'],
    ...['--release-key', 'ann.pub', '--release-key', 'bob.pub', '--release-threshold', '2'],
    ...[
      '--rollout-key',
      'ann.pub',
      '--command-key',
      'snooze,verdict=cyd.pub',
      '--out',
      'root.1.json',
      '--json',
    ],
  );
  expect(init).toMatchObject({ code: 0, err: '' });
  return { registry, ann, bob, cyd, init: JSON.parse(init.out) };
}

describe.skipIf(!hasExecutable)('a root of 2 of 3', { timeout: 240_000 }, () => {
  test('is signed on machines that have nothing but the file, and rotated by old and new keys', async () => {
    const { ann, bob, cyd, init } = await fleet();
    expect(init).toMatchObject({ version: 1, signatures: { threshold: 2, signed: [], complete: false } });
    expect(init.roles.snooze.keys).toHaveLength(1);
    expect(init.roles['self-test'].keys).toHaveLength(0);

    expect(await ann.run('keys', 'root', 'sign', 'root.1.json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('name a private key with --key'),
    });
    expect((await ann.run('keys', 'root', 'sign', 'root.1.json', '--key', 'ann.key')).out).toMatch(
      /signatures +1 of 2: ann \([0-9a-f]{8}\); 1 more of: /,
    );
    expect(await ann.run('keys', 'root', 'verify', 'root.1.json', '--pin', init.sha256)).toMatchObject({
      code: 4,
      err: expect.stringContaining('root.1.json: 1 of the 2 signatures that a root needs are there'),
    });
    carry('root.1.json', ann, bob);
    const signed = await bob.run('keys', 'root', 'sign', 'root.1.json', '--key', 'bob.key', '--json');
    expect(JSON.parse(signed.out)).toMatchObject({ sha256: init.sha256, signatures: { complete: true } });
    // It touched nothing but that file.
    expect(readdirSync(bob.directory).sort()).toEqual(['bob.key', 'bob.pub', 'home', 'root.1.json']);
    expect(readdirSync(bob.home)).toEqual([]);
    carry('root.1.json', bob, ann);
    expect((await ann.run('keys', 'root', 'verify', 'root.1.json', '--pin', init.sha256)).code).toBe(0);
    expect(await ann.run('keys', 'root', 'verify', 'root.1.json', '--pin', '00')).toMatchObject({ code: 4 });

    const next = ['keys', 'root', 'next', 'root.1.json', '--out', 'root.2.json'];
    expect(await ann.run(...next, '--remove-key', 'nobody')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/has no such key; it has .*ann \([0-9a-f]{8}\)/),
    });
    expect(await ann.run(...next, '--remove-key', 'bob')).toMatchObject({
      code: 2,
      err: expect.stringContaining('the role release asks for 2 of 1 keys'),
    });
    expect(existsSync(ann.path('root.2.json'))).toBe(false);
    await ann.run('keys', 'create', 'dan');
    const revoked = 'ab'.repeat(32);
    const made = await ann.run(
      ...next,
      ...[
        '--remove-key',
        'bob',
        '--release-threshold',
        '1',
        '--add-root-key',
        'dan.pub',
        '--revoke',
        revoked,
      ],
    );
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining(revoked) });
    expect(await ann.run(...next)).toMatchObject({
      code: 2,
      err: expect.stringContaining('is there already'),
    });
    const verify = () => ann.run('keys', 'root', 'verify', 'root.2.json', '--after', 'root.1.json');
    await ann.run('keys', 'root', 'sign', 'root.2.json', '--key', 'ann.key', '--key', 'dan.key');
    expect(await verify()).toMatchObject({ code: 4, out: '' });
    expect((await ann.run('keys', 'root', 'show', 'root.2.json', '--after', 'root.1.json')).out).toMatch(
      /of the root before +1 of 2: ann .*; 1 more of: (bob|cyd)/,
    );
    carry('root.2.json', ann, cyd);
    await cyd.run('keys', 'root', 'sign', 'root.2.json', '--key', 'cyd.key');
    // The two copies come together again.
    carry('root.2.json', cyd, bob);
    copyFileSync(bob.path('root.2.json'), ann.path('of-cyd.json'));
    await ann.run('keys', 'root', 'sign', 'root.2.json', '--add', 'of-cyd.json');
    expect(await verify()).toMatchObject({
      code: 0,
      out: expect.stringContaining('hosts that trust root 1 take it'),
    });
    expect(await ann.run('keys', 'root', 'verify', 'root.1.json', '--after', 'root.2.json')).toMatchObject({
      code: 4,
    });
  });

  test('what is no root is told so', async () => {
    const { run, path } = machine();
    writeFileSync(path('x.json'), '{"a": 1}');
    writeFileSync(path('big.json'), Buffer.alloc(300_000, 0x20));
    for (const [file, says] of [
      ['x.json', 'no signed document'],
      ['big.json', '300000 bytes'],
      ['none.json', "can't be read (ENOENT)"],
      ['home', "can't be read (EISDIR)"],
    ] as const) {
      expect(await run('keys', 'root', 'show', file)).toMatchObject({
        code: 2,
        err: expect.stringContaining(says),
      });
    }
    expect(await run('keys', 'root', 'verify', 'x.json', '--pin', '00')).toMatchObject({ code: 4 });
    expect(await run('keys', 'root', 'sign', 'x.json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no signed document'),
    });
  });
});

describe.skipIf(!hasExecutable)('a release', { timeout: 240_000 }, () => {
  test('is made from the registry, signed on another machine, and verified as hosts do', async () => {
    const { registry, ann, bob, cyd } = await fleet();
    await ann.run('keys', 'root', 'sign', 'root.1.json', '--key', 'ann.key');
    const create = ['release', 'create', 'web@production', '--root', 'root.1.json'];
    writeFileSync(ann.path('forest.json'), JSON.stringify(exportModel(tinyIsolationForest())));
    await ann.run('models', 'import', 'forest.json', '--name', 'web', '--alias', 'production');
    expect(await ann.run(...create)).toMatchObject({
      code: 4,
      err: expect.stringContaining('root.1.json: 1 of the 2'),
    });
    carry('root.1.json', ann, bob);
    await bob.run('keys', 'root', 'sign', 'root.1.json', '--key', 'bob.key');
    carry('root.1.json', bob, ann);

    carry('cyd.key', cyd, ann);
    expect(await ann.run(...create, '--key', 'cyd.key')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/cyd\.key \([0-9a-f]{8}\) may not sign releases: the root names (ann|bob)/),
    });
    const dry = await ann.run(...create, '--key', 'ann.key', '--dry-run', '--json');
    expect(JSON.parse(dry.out)).toMatchObject({ file: null, dryRun: true, signatures: { complete: false } });
    expect(existsSync(join(registry, 'releases'))).toBe(false);
    const made = await ann.run(...create, '--key', 'ann.key', '--out', 'web-1.json', '--why', 'first');
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringMatching(/signatures +1 of 2: ann .*1 more of: bob/),
    });
    expect(await ann.run(...create, '--key', 'ann.key')).toMatchObject({
      code: 1,
      err: expect.stringContaining('web@1 is released already'),
    });
    const verify = () => ann.run('release', 'verify', 'web@1', '--root', 'root.1.json', '--json');
    expect(await verify()).toMatchObject({ code: 4, err: expect.stringContaining('1 of the 2 signatures') });

    carry('web-1.json', ann, bob);
    expect((await bob.run('release', 'sign', 'web-1.json', '--key', 'bob.key')).code).toBe(0);
    expect(readdirSync(bob.home)).toEqual([]);
    carry('web-1.json', bob, ann);
    expect((await ann.run('release', 'sign', 'web@1', '--add', 'web-1.json', '--why', 'bob, too')).code).toBe(
      0,
    );
    expect(JSON.parse((await verify()).out)).toMatchObject({ model: 'web', version: 1, goldenRows: null });
    const shown = await ann.run('release', 'show', 'web@production', '--root', 'root.1.json');
    expect(shown.out).toMatch(/signatures +2 of 2/);
    expect(shown.out).toMatch(/golden rows +64, 64 with a score/);

    const [artifact = ''] = readdirSync(join(registry, 'objects'));
    const file = join(registry, 'objects', artifact);
    const whole = ['release', 'verify', 'web-1.json', '--root', 'root.1.json', '--artifact'];
    expect(await ann.run(...whole, file)).toMatchObject({
      code: 0,
      out: expect.stringContaining('64 golden rows'),
    });
    const other = readFileSync(file);
    other[300] = (other[300] as number) ^ 1;
    writeFileSync(ann.path('other'), other);
    expect(await ann.run(...whole, 'other')).toMatchObject({
      code: 4,
      err: expect.stringContaining('other: an artifact of'),
    });
    expect(await ann.run('release', 'verify', 'root.1.json', '--root', 'root.1.json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('a release document was expected, this is a root'),
    });

    const { entries } = JSON.parse((await ann.run('models', 'log', 'web', '--json')).out);
    expect(
      entries.map((one: { action: string; version: number; why: string }) => [
        one.action,
        one.version,
        one.why,
      ]),
    ).toEqual([
      ['register', 1, null],
      ['alias', null, null],
      ['release', 1, 'first'],
      ['sign-release', 1, 'bob, too'],
    ]);
  });
});
