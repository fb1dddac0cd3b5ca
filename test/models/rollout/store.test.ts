import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { begun, withState } from '../../../models/rollout/progress.ts';
import { RolloutStore, type StoredDocument } from '../../../models/rollout/store.ts';
import { T0, testPlan } from '../../support/rollout.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const plan = testPlan();
const progress = begun({ mode: 'apply', stage: 0, fraction: 0.1 }, 1, T0);
const change = { action: 'start', why: null, figures: null } as const;
const document = (version: number): StoredDocument => ({
  version,
  sha256: 'ab'.repeat(32),
  envelope: `{"v":${version}}`,
});

function opened(directory = temporaryDirectory()): { store: RolloutStore; path: string; directory: string } {
  const store = RolloutStore.open(directory, {
    create: true,
    nowMs: () => T0,
    actor: 'tester@bench',
    openDatabase: (path) => new Database(path),
  });
  onTestFinished(() => store.close());
  return { store, path: join(directory, 'rollouts.db'), directory };
}

test('what was stored is there after a restart, and a new database is none of another version', () => {
  const { store, directory } = opened();
  const rollout = store.start(plan, '{"release":2}', progress, document(1), ['lab'], change);
  store.step(rollout, withState(progress, 'paused'), document(2), {
    ...change,
    action: 'pause',
    why: 'lunch',
  });
  const again = opened(directory).store;
  expect(again.current('web')).toEqual({ ...rollout, progress: withState(progress, 'paused') });
  expect(again.newestDocument('web')).toEqual(document(2));
  expect(again.history('web').map(({ action, why, actor }) => [action, why, actor])).toEqual([
    ['start', null, 'tester@bench'],
    ['pause', 'lunch', 'tester@bench'],
  ]);
  expect(again.current('db')).toBeNull();
  expect(() =>
    RolloutStore.open(temporaryDirectory(), {
      create: false,
      nowMs: () => T0,
      actor: '',
      openDatabase: (path) => new Database(path),
    }),
  ).toThrow(/there are no rollouts in/);
});

test('versions go up one by one, and neither documents nor decisions are ever changed', () => {
  const { store, path } = opened();
  const rollout = store.start(plan, '{}', progress, document(1), ['lab'], change);
  for (const version of [1, 3]) {
    expect(() => store.step(rollout, progress, document(version), change)).toThrow(
      /another process has changed/,
    );
  }
  expect([store.newestDocument('web')?.version, store.history('web').length]).toEqual([1, 1]);
  const raw = new Database(path);
  onTestFinished(() => void raw.close());
  const run = (sql: string) => () => raw.prepare(sql).run();
  expect(run("INSERT INTO documents VALUES ('web', 1, 1, 'x', 'x')")).toThrow(/versions only go up/);
  expect(run("UPDATE documents SET envelope = 'x'")).toThrow(/immutable/);
  expect(run('DELETE FROM documents')).toThrow(/immutable/);
  expect(run("UPDATE decisions SET why = 'x'")).toThrow(/immutable/);
  expect(run('DELETE FROM decisions')).toThrow(/immutable/);
});

test('a step on what is past changes nothing; two rollouts of a model at a time are refused', () => {
  const { store } = opened();
  const rollout = store.start(plan, '{}', progress, document(1), ['lab'], change);
  store.note(rollout, { ...progress, reachedMs: T0 });
  expect(() => store.note(rollout, { ...progress, reachedMs: T0 + 1 })).toThrow(/another process/);
  expect(() => store.step(rollout, progress, document(2), change)).toThrow(/another process/);
  expect(store.newestDocument('web')?.version).toBe(1);
  expect(() => store.start(plan, '{}', progress, document(2), [], change)).toThrow(/another process/);
});

test('hosts and sites that were heard of are kept; the baseline is the last that was completed', () => {
  const { store } = opened();
  const [a, b] = [
    { site: 'lab', hostId: 'a' },
    { site: 'lab', hostId: 'b' },
  ];
  store.rememberHosts([b, a]);
  store.rememberHosts([a]);
  expect(store.hosts()).toEqual([a, b]);
  const first = store.start(plan, '{}', progress, document(1), ['lab'], change);
  expect(store.lastCompleted('web')).toBeNull();
  store.step(first, { ...progress, status: 'completed' }, null, { ...change, action: 'complete' });
  const next = testPlan({ release: { ...plan.release, version: 3 } });
  const second = store.start(next, '{}', progress, document(2), ['roof'], change);
  store.step(second, { ...progress, status: 'aborted' }, document(3), { ...change, action: 'abort' });
  expect(store.lastCompleted('web')).toEqual(plan.release);
  expect([store.sites('web'), store.models()]).toEqual([['lab', 'roof'], ['web']]);
});
