import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ModelRecord } from '../../models/record.ts';
import { artifactsOf, planOf } from '../../models/tracking/plan.ts';
import { openTrackingQueue } from '../../models/tracking/track.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { type FakeMlflow, type FakeMlflowOptions, fakeMlflow } from '../support/mlflow.ts';
import { modelRecord } from '../support/model-record.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function server(options: FakeMlflowOptions = {}): Promise<FakeMlflow> {
  const fake = await fakeMlflow(options);
  onTestFinished(async () => {
    await fake.stop();
    expect(fake.faults).toEqual([]);
  });
  return fake;
}

/** A registry with one training that waits. */
function registryWithOne(): string {
  const directory = temporaryDirectory();
  const queue = openTrackingQueue(directory, (path) => new Database(path));
  const record = modelRecord();
  const extra = { modelCard: '# Card\n', aliases: ['production'] };
  queue.enqueue(planOf(record, extra), artifactsOf(record, Uint8Array.of(1, 2, 3), extra), 1_767_322_000_000);
  queue.close();
  return directory;
}

const sync = (registry: string, args: readonly string[], env: Record<string, string> = {}) =>
  runExecutable(['models', 'sync', '--registry', registry, ...args], env);

async function told(run: ReturnType<typeof runExecutable>) {
  const code = await run.ended;
  return { code, out: run.stdout(), err: run.stderr() };
}

describe.skipIf(!hasExecutable)('edgewood models sync', () => {
  test('sends what waits, and says what became of it', async () => {
    const fake = await server();
    const registry = registryWithOne();
    const { code, out, err } = await told(sync(registry, ['--mlflow', fake.url]));
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^sent {2}web v1: run 0{31}1, web version 1 at http:\/\/127\.0\.0\.1:\d+\n$/);
    expect([...fake.state.runs.values()][0]?.status).toBe('FINISHED');
    expect(fake.state.artifacts.size).toBe(3);
    expect((await told(sync(registry, []))).out).toBe('Nothing waits for MLflow.\n');
  });

  test('what waits, and why: unreachable, not let in, refused, no server named', async () => {
    const registry = registryWithOne();
    const away = await told(sync(registry, ['--mlflow', 'http://127.0.0.1:1']));
    expect(away.code).toBe(3);
    expect(away.out).toMatch(
      /^Stopped: http:\/\/127\.0\.0\.1:1: nothing listens there.*\nwaits web v1, since 2026-/,
    );
    const fake = await server({ authorization: 'Bearer right' });
    const secret = join(temporaryDirectory(), 'token');
    writeFileSync(secret, 'wrong-wrong\n');
    const denied = await told(
      sync(registry, ['--json'], { MLFLOW_TRACKING_URI: fake.url, MLFLOW_TRACKING_TOKEN_FILE: secret }),
    );
    expect(denied.code).toBe(3);
    expect(JSON.parse(denied.out)).toMatchObject({ sent: [], waiting: [{ name: 'web', version: 1 }] });
    expect(`${denied.out}${denied.err}`).not.toContain('wrong-wrong');
    fake.options = {
      fault: () => ({ status: 400, body: '{"error_code":"INVALID_PARAMETER_VALUE","message":"no"}' }),
    };
    const refused = await told(sync(registry, ['--mlflow', fake.url]));
    expect([refused.code, refused.out]).toEqual([
      1,
      expect.stringMatching(/^waits web v1, .* 400: .*\("no"\)\n$/),
    ]);
    const unnamed = await told(sync(registry, []));
    expect([unnamed.code, unnamed.err]).toEqual([
      2,
      expect.stringMatching(/1 training waits, but no MLflow server/),
    ]);
    const password = await told(sync(registry, ['--mlflow', 'http://ann:open-sesame@mlflow']));
    expect([password.code, password.err]).toEqual([2, expect.stringMatching(/MLFLOW_TRACKING_PASSWORD/)]);
    expect(password.err).not.toContain('open-sesame');
  });

  test('a damaged tracking.db is named, with what to do', async () => {
    const registry = temporaryDirectory();
    writeFileSync(
      join(registry, 'tracking.db'),
      'not a database, but long enough to be looked at'.repeat(100),
    );
    const { code, err } = await told(sync(registry, ['--mlflow', 'http://127.0.0.1:1']));
    expect(code).toBe(2);
    expect(err).toMatch(/tracking\.db: can't be used \(SQLITE_NOTADB: .*Mend or move it/);
  });

  test('killed while it sends, the next one goes on: one run', async () => {
    let reached = (): void => {};
    for (const nth of [4, 6, 8, 10]) {
      const fake = await server({
        fault: (_call, request) => {
          if (request !== nth) return null;
          reached();
          return 'hang';
        },
      });
      const one = registryWithOne();
      const hanging = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const run = sync(one, ['--mlflow', fake.url]);
      await hanging;
      run.child.kill('SIGKILL');
      await run.ended;
      const { code } = await told(sync(one, ['--mlflow', fake.url]));
      expect(code).toBe(0);
      expect(fake.state.runs.size).toBe(1);
      const [only] = [...fake.state.runs.values()];
      const names = only?.metrics.map(({ key, step }) => `${key} ${step}`) ?? [];
      expect(names).toHaveLength(new Set(names).size);
      expect([only?.status, fake.state.artifacts.size]).toEqual(['FINISHED', 3]);
    }
  });

  test('train logs what it made; where the server is away it waits, and nothing of the training is lost', async () => {
    const registry = temporaryDirectory();
    const recording = writeRecording(join(temporaryDirectory(), 'web-1.csv'));
    const train = (...more: string[]) =>
      runExecutable(['train', recording, '--name', 'web', '--registry', registry, '--json', ...more]);
    const away = await told(train('--mlflow', 'http://127.0.0.1:1'));
    expect([away.code, away.err]).toEqual([0, expect.stringMatching(/nothing listens there.*models sync/)]);
    const fake = await server();
    const there = await told(train('--mlflow', fake.url, '--alias', 'staging'));
    expect([there.code, there.err]).toEqual([0, expect.stringMatching(/^edgewood: .*run /)]);
    const record = JSON.parse(there.out) as ModelRecord;
    // What waited went first.
    expect([...fake.state.runs.values()].map(({ name, status }) => [name, status])).toEqual([
      ['web-v1', 'FINISHED'],
      ['web-v2', 'FINISHED'],
    ]);
    expect((await told(sync(registry, ['--mlflow', fake.url]))).out).toBe('Nothing waits for MLflow.\n');
    const run = [...fake.state.runs.values()][1];
    const metrics = new Set(run?.metrics.map(({ key }) => key));
    for (const key of ['grid_objective', 'test_alarms_per_day']) expect([...metrics]).toContain(key);
    expect(run?.metrics.filter(({ key }) => key === 'grid_objective')).toHaveLength(record.compared.length);
    expect(fake.state.artifacts.size).toBe(6);
  });
});
