import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchesOf, cutBytes, keyOf } from '../../../models/tracking/limits.ts';
import { planOf } from '../../../models/tracking/plan.ts';
import { trackingServerFrom } from '../../../models/tracking/settings.ts';
import { REFERENCE } from '../../support/mlflow-reference.ts';
import { modelRecord } from '../../support/model-record.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test.each([
  ['https://ann:open-sesame@mlflow:5000', /holds a user name or password.*MLFLOW_TRACKING_USERNAME/],
  ['sqlite:///mlflow.db', /expected a tracking server at http/],
  ['file:///tmp/mlruns', /expected a tracking server at http/],
  ['./mlruns', /expected http:\/\/HOST/],
  ['databricks', /expected http:\/\/HOST/],
  ['http://mlflow?x=1', /no \?/],
])('%s is refused', (url, words) => {
  expect(() => trackingServerFrom(url, {})).toThrow(words);
  expect(() => trackingServerFrom(undefined, { MLFLOW_TRACKING_URI: url })).toThrow(/^MLFLOW_TRACKING_URI/);
  try {
    trackingServerFrom(url, {});
  } catch (error) {
    expect(String(error)).not.toContain('open-sesame');
  }
});

test('credentials come from the environment or from files, a token first', () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'token'), 'from-a-file\n');
  const base = { MLFLOW_TRACKING_URI: 'https://[::1]/mlflow//' };
  expect(trackingServerFrom(undefined, {})).toBeNull();
  const plain = trackingServerFrom(undefined, base);
  expect(plain).toMatchObject({ host: '::1', port: 443, basePath: '/mlflow', url: 'https://[::1]/mlflow' });
  expect(plain?.authorization()).toBeNull();
  const file = {
    ...base,
    MLFLOW_TRACKING_TOKEN_FILE: join(directory, 'token'),
    MLFLOW_TRACKING_USERNAME: 'ann',
  };
  const filed = trackingServerFrom(undefined, file);
  expect(filed?.authorization()).toBe('Bearer from-a-file');
  // A renewed one is taken up.
  writeFileSync(join(directory, 'token'), 'renewed');
  expect(filed?.authorization()).toBe('Bearer renewed');
  expect(() =>
    trackingServerFrom(undefined, {
      ...base,
      MLFLOW_TRACKING_PASSWORD_FILE: '/nowhere',
      MLFLOW_TRACKING_USERNAME: 'a',
    }),
  ).toThrow(/MLFLOW_TRACKING_PASSWORD_FILE: \/nowhere can't be read \(ENOENT\)/);
  expect(() => trackingServerFrom(undefined, { ...base, MLFLOW_TRACKING_INSECURE_TLS: 'true' })).toThrow(
    /certificates are always checked/,
  );
});

test('whatever names and texts hold, what is sent keeps to the reference', () => {
  const text = fc.string({ unit: 'binary', maxLength: 400 });
  fc.assert(
    fc.property(
      text,
      text,
      fc.array(text, { maxLength: 40 }),
      fc.integer({ min: 0, max: 60 }),
      (a, b, features, n) => {
        const plan = planOf(
          modelRecord({ description: a.repeat(20), notes: [b.repeat(30)], features, toolVersion: b }, n),
          { modelCard: `# ${a}` },
        );
        for (const batch of batchesOf({ metrics: plan.metrics, params: plan.params, tags: [] })) {
          REFERENCE['runs/log-batch']?.check(JSON.parse(JSON.stringify({ run_id: 'a1', ...batch })));
        }
        REFERENCE['runs/create']?.check({
          experiment_id: '1',
          run_name: plan.runName,
          start_time: plan.startMs,
          tags: plan.tags,
        });
        expect(keyOf(a === '' ? 'x' : a)).toMatch(/^[\w.\-/ …]+$/);
        expect(Buffer.byteLength(cutBytes(a, 50))).toBeLessThanOrEqual(Math.max(50, 0));
      },
    ),
    { numRuns: 200 },
  );
});

test('an alias that MLflow can not have stands in a tag only', () => {
  const plan = planOf(modelRecord(), { aliases: ['latest', 'v3', 'a b', 'production'] });
  expect(plan.model.aliases).toEqual(['production']);
  expect(plan.tags).toContainEqual({ key: 'edgewood.aliases', value: 'latest,v3,a b,production' });
});
