import { expect, test } from 'vitest';
import { type Fields, REFERENCE } from '../../support/mlflow-reference.ts';
import { MlflowState } from '../../support/mlflow-state.ts';

/** The fake is what everything else is held against: it must say no. */
const metric = { key: 'a', value: 1, timestamp: 1, step: 0 };
const many = (count: number): unknown[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: 'v' }));

test.each<[string, Fields, RegExp]>([
  ['experiments/create', { name: 'a', description: 'b' }, /description: no such field/],
  ['experiments/create', { name: 1 }, /expected a string/],
  ['experiments/create', { name: 'a'.repeat(501) }, /at most 500/],
  ['runs/create', { start_time: 1 }, /experiment_id: is missing/],
  ['runs/create', { experiment_id: '1', start_time: 1.5 }, /expected an integer/],
  [
    'runs/create',
    { experiment_id: '1', start_time: 1, tags: [{ key: 'a', value: 'ä'.repeat(2501) }] },
    /5000 bytes/,
  ],
  ['runs/log-batch', { run_id: 'a', metrics: Array(1001).fill(metric) }, /at most 1000/],
  ['runs/log-batch', { run_id: 'a', params: many(101) }, /at most 100/],
  ['runs/log-batch', { run_id: 'a', metrics: Array(950).fill(metric), params: many(51) }, /1001 in all/],
  ['runs/log-batch', { run_id: 'a', metrics: [{ ...metric, value: null }] }, /expected a double/],
  ['runs/log-batch', { run_id: 'a', metrics: [{ ...metric, key: 'a/../b' }] }, /leads elsewhere/],
  ['runs/log-batch', { run_id: 'a', params: [{ key: 'a', value: 'v'.repeat(251) }] }, /at most 250/],
  ['runs/update', { run_id: 'a', status: 'DONE' }, /expected one of/],
  ['registered-models/alias', { name: 'a', alias: 'v1', version: '1' }, /alias/],
  ['registered-models/alias', { name: 'a', alias: 'b', version: 1 }, /expected a string/],
])('%s with %j is against the reference', (call, fields, words) => {
  expect(() => REFERENCE[call]?.check(fields)).toThrow(words);
});

test('a parameter does not change, and a run that is gone takes nothing', () => {
  const state = new MlflowState();
  const act = (call: string, fields: Fields): unknown => state.act(call, fields, 'mlflow-artifacts:');
  act('experiments/create', { name: 'e' });
  expect(() => act('experiments/create', { name: 'e' })).toThrow(/already exists/);
  act('runs/create', { experiment_id: '1', run_name: 'r', start_time: 1 });
  const [run] = [...state.runs.values()];
  const log = (value: string): unknown =>
    act('runs/log-batch', { run_id: run?.runId, params: [{ key: 'a', value }] });
  log('1');
  log('1');
  expect(() => log('2')).toThrow(/not allowed/);
  if (run !== undefined) run.stage = 'deleted';
  expect(() => log('1')).toThrow(/'active' state/);
});
