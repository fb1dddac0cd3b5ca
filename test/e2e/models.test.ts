import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportModel } from '../../models/exchange/export.ts';
import { tinyIsolationForest } from '../support/artifacts.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { BUSY_FROM_ROW, writeRecording } from '../support/recording.ts';
import { openTestRegistry, registrable } from '../support/records.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A forest over cpu and memory whose threshold only the busy rows pass. */
const dump = (): Record<string, unknown> => ({
  ...exportModel(tinyIsolationForest()),
  offset: -0.5,
  contamination: 'auto',
  trees: [
    {
      feature: [0, -2, -2],
      threshold: [80, -2, -2],
      left: [1, -1, -1],
      right: [2, -1, -1],
      samples: [200, 199, 1],
    },
  ],
});

function bench() {
  const directory = temporaryDirectory();
  const registry = join(directory, 'registry');
  const run = async (...args: string[]) => {
    const it = runExecutable(args, { EDGEWOOD_REGISTRY: registry, TMPDIR: directory });
    return { code: await it.ended, out: it.stdout(), err: it.stderr() };
  };
  const forest = join(directory, 'forest.json');
  writeFileSync(forest, JSON.stringify(dump()));
  return { directory, registry, run, forest };
}

const done = (out: string) => ({ code: 0, out, err: '' });

describe.skipIf(!hasExecutable)('edgewood models', () => {
  test('from a dump to production and back, and every step in the log', async () => {
    const { directory, registry, run, forest } = bench();
    expect(await run('models', 'list')).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no model registry in'),
    });
    const first = await run('models', 'import', forest, '--name', 'web', '--why', 'a try', '--json');
    expect(JSON.parse(first.out)).toMatchObject({ name: 'web', version: 1, origin: 'imported' });
    expect((await run('models', 'import', forest, '--name', 'web', '--features', 'cpu,queue')).code).toBe(0);
    expect(await run('models', 'alias', 'web@1', 'production', '--expect', 'none')).toEqual(
      done('web@production: nowhere -> version 1\n'),
    );
    expect(await run('models', 'alias', 'web@2', 'production', '--expect', 'none')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('web@production points to version 1, not nowhere'),
    });
    await run('models', 'alias', 'web@latest', 'production', '--expect', '1', '--why', 'better');
    expect(JSON.parse((await run('models', 'list', '--json')).out).models).toMatchObject([
      {
        name: 'web',
        versions: [{ version: 1 }, { version: 2 }],
        aliases: [{ alias: 'production', version: 2 }],
      },
    ]);
    const diff = JSON.parse((await run('models', 'diff', 'web@1', 'web@production', '--json')).out);
    expect(diff.features).toEqual({ common: ['cpu'], onlyA: ['memory'], onlyB: ['queue'], order: 'same' });
    expect(await run('models', 'rollback', 'web', '--why', 'worse')).toEqual(
      done('web@production: version 2 -> version 1\n'),
    );
    expect((await run('models', 'rollback', 'web')).code).toBe(1);
    expect(await run('models', 'alias', 'web', 'production', '--remove')).toEqual(
      done('web@production: version 1 -> nowhere\n'),
    );
    const { entries } = JSON.parse((await run('models', 'log', 'web', '--json')).out);
    expect(entries.map((entry: { action: string; why: string }) => [entry.action, entry.why])).toEqual([
      ['register', 'a try'],
      ['register', null],
      ['alias', null],
      ['alias', 'better'],
      ['rollback', 'worse'],
      ['remove-alias', null],
    ]);
    expect(entries[0].actor).toMatch(/^\S+@\S+$/);

    const out = join(directory, 'out.json');
    expect(await run('models', 'export', 'web@1', '--out', out)).toEqual(done(''));
    await run('models', 'import', out, '--name', 'again');
    const scored = async (model: string) =>
      (await run('score', model, writeRecording(join(directory, 'r.csv')))).out;
    expect(await scored('again@1')).toBe(await scored('web@1'));

    expect(await run('models', 'verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('✓ 3 versions'),
    });
    const [object = ''] = readdirSync(join(registry, 'objects'));
    writeFileSync(join(registry, 'objects', object), 'x');
    expect(await run('models', 'verify')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/✗ damage {2}\w+@\d/),
    });
  });

  test('a model is a file, or name@version, or name@alias; and it is said what was looked for', async () => {
    const { directory, run, forest } = bench();
    await run('models', 'import', forest, '--name', 'web');
    await run('models', 'alias', 'web@1', 'staging');
    const recording = writeRecording(join(directory, 'recording.csv'));
    const { code, out, err } = await run('score', 'web@staging', recording);
    expect([code, err]).toEqual([0, '']);
    const anomalous = out
      .trim()
      .split('\n')
      .slice(1)
      .flatMap((line, row) => (line.endsWith(',1') ? [row] : []));
    expect(anomalous).toEqual(Array.from({ length: 10 }, (_, i) => BUSY_FROM_ROW + i));
    for (const [model, message] of [
      ['web', 'A registered model is named with its version or alias: web@latest'],
      ['web@2', 'web has no version 2; its versions are 1'],
      ['web@production', 'web has no alias "production"; it has staging, latest'],
      ['db@1', 'has no model db; it has web'],
      [join(directory, 'none'), "can't be read (ENOENT)"],
      [forest, 'is no model that can be used'],
    ] as const) {
      expect(await run('score', model, recording)).toMatchObject({
        code: 2,
        err: expect.stringContaining(message),
      });
    }
  });

  test('an agent runs an imported model, and alerts by its score', async () => {
    const { directory, registry, run, forest } = bench();
    await run('models', 'import', forest, '--name', 'web');
    const state = join(directory, 'state');
    mkdirSync(join(state, 'models'), { recursive: true });
    const [object = ''] = readdirSync(join(registry, 'objects'));
    copyFileSync(join(registry, 'objects', object), join(state, 'models', 'current.edgewood'));
    const source = `replay:${writeRecording(join(directory, 'recording.csv'))}`;
    const { code, out } = await run(
      'agent',
      '--source',
      source,
      '--pace',
      'max',
      '--stdout',
      '--state-dir',
      state,
    );
    expect(code).toBe(0);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const alerts = events.filter(({ type }) => type === 'edgewood.incident').map(({ data }) => data);
    expect(alerts.length).toBeGreaterThan(0);
    expect(new Set(alerts.map(({ trigger }) => trigger))).toEqual(new Set(['score']));
    expect(alerts[0].model).toMatchObject({ name: 'web', version: '1' });
  });

  test('what comes from outside stays text in the card, at a terminal and as Markdown', async () => {
    const { registry, run } = bench();
    const own = openTestRegistry(registry);
    own.register('web', null, (version, createdAt) =>
      registrable('web', version, createdAt, tinyIsolationForest(), {
        description: '<script>alert(1)</script> [x](http://y) \u001b[31m| **b**',
        notes: ['# no heading', '`code`'],
      }),
    );
    own.close();
    const text = (await run('models', 'show', 'web@1')).out;
    expect(text).not.toContain('\u001b');
    for (const title of ['Purpose', 'Data', 'Method', 'Performance', 'Robustness', 'Limits']) {
      expect(text).toContain(`\n${title}\n`);
    }
    expect(text).toMatch(/^ {2}F1 +0\.6 +0\.6$/m);
    expect(text).toMatch(/^ {2}spike +4 +3 +0\.75$/m);
    const markdown = (await run('models', 'show', 'web@1', '--markdown')).out;
    expect(markdown).toContain(
      '\\<script\\>alert\\(1\\)\\</script\\> \\[x\\]\\(http\\://y\\) \\\\u001b\\[31m\\| \\*\\*b\\*\\*',
    );
    expect(markdown).toContain('- \\# no heading\n- \\`code\\`\n');
    expect(markdown).toContain('## Fairness across hosts');
    const json = JSON.parse((await run('models', 'show', 'web@1', '--json')).out);
    expect(json).toMatchObject({ model: 'web@1', aliases: [], record: { name: 'web', version: 1 } });
  });

  test('what scikit-learn saves itself is not taken for JSON; an import may have an alias', async () => {
    const { directory, run, forest } = bench();
    const file = join(directory, 'model.joblib');
    for (const head of [
      [0x80, 4, 0x95],
      [0x50, 0x4b, 3, 4],
      [0x1f, 0x8b, 8],
      [0x78, 0x9c],
    ]) {
      writeFileSync(file, Buffer.from([...head, 0, 0]));
      expect(await run('models', 'import', file, '--name', 'web')).toEqual({
        code: 2,
        out: '',
        err: `edgewood: ${file} is a joblib/pickle file: run docs/scikit_learn_export.py first, see docs/MODELS.md\n`,
      });
    }
    expect(existsSync(join(import.meta.dirname, '..', '..', 'docs', 'scikit_learn_export.py'))).toBe(true);
    expect(await run('models', 'import', forest, '--name', 'web', '--alias', 'latest')).toMatchObject({
      code: 2,
    });
    const { out } = await run('models', 'import', forest, '--name', 'web', '--alias', 'staging');
    expect(out).toContain('web@1 (staging): ');
    expect((await run('models', 'list')).out).toMatch(/^web@1 .* staging$/m);
    for (const [name, tail] of [
      ['web@2', '@2'],
      ['web@production', '@production'],
    ] as const) {
      expect(await run('models', 'rollback', name)).toMatchObject({
        code: 2,
        err: expect.stringContaining(`give the name without ${tail}: edgewood models rollback web`),
      });
    }
  });

  test('a broken dump registers nothing', async () => {
    const { directory, run } = bench();
    const file = join(directory, 'broken.json');
    for (const [text, message] of [
      ['', 'not JSON'],
      ['[1]', 'the document: expected an object'],
      [JSON.stringify({ ...dump(), trees: [{}] }), 'trees[0].feature: expected a list'],
      [
        JSON.stringify({ ...dump(), offset: 'x\u001b' }),
        'offset: expected a number from -1 to 0, found "x\\u001b"',
      ],
    ] as const) {
      writeFileSync(file, text);
      const ended = await run('models', 'import', file, '--name', 'web');
      expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
      expect(ended.err).not.toContain('\u001b');
    }
    expect((await run('models', 'import', '/', '--name', 'web')).err).toContain("can't be read (EISDIR)");
    expect((await run('models', 'import', file, '--name', '../x')).err).toContain('is no name for a model');
    expect((await run('models', 'list')).code).toBe(2);
  });
});
