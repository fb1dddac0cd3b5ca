import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { TrackingExtra } from '../../../models/tracking/plan.ts';
import type { TrackingQueue } from '../../../models/tracking/queue.ts';
import { trackingServerFrom } from '../../../models/tracking/settings.ts';
import { openTrackingQueue, sync, trackOrKeep } from '../../../models/tracking/track.ts';
import { type FakeMlflow, type FakeMlflowOptions, type Fault, fakeMlflow } from '../../support/mlflow.ts';
import { modelRecord } from '../../support/model-record.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const BYTES = Uint8Array.from([1, 2, 3, 4, 5]);
const EXTRA: TrackingExtra = {
  modelCard: '# Model card\n',
  reports: { 'report.html': '<p>fine</p>' },
  aliases: ['production'],
};
const waits: number[] = [];
const OPTIONS = {
  nowMs: () => 1_767_322_000_000,
  sleep: async (ms: number) => void waits.push(ms),
  random: () => 0.5,
  limits: { answerTimeoutMs: 300, bodyTimeoutMs: 300, maxBodyBytes: 1_000_000 },
};

async function server(options: FakeMlflowOptions = {}): Promise<FakeMlflow> {
  const fake = await fakeMlflow(options);
  onTestFinished(async () => {
    await fake.stop();
    expect(fake.faults).toEqual([]);
  });
  return fake;
}

function queueIn(directory = temporaryDirectory()): TrackingQueue {
  const queue = openTrackingQueue(directory, (path) => new Database(path));
  onTestFinished(() => queue.close());
  return queue;
}

const at = (url: string, env: Record<string, string> = {}) => {
  const found = trackingServerFrom(url, env);
  if (found === null) throw new Error('no server');
  return found;
};

/** All of a training is there, once. */
function expectWhole(fake: FakeMlflow, candidates = 3): void {
  const { runs, models, artifacts } = fake.state;
  expect([...runs.values()].filter(({ stage }) => stage === 'active')).toHaveLength(1);
  const [run] = [...runs.values()].filter(({ stage }) => stage === 'active');
  if (run === undefined) return;
  expect(run).toMatchObject({
    name: 'web-v1',
    status: 'FINISHED',
    endMs: Date.parse('2026-01-02T03:04:05.000Z'),
  });
  const names = run.metrics.map(({ key, step }) => `${key} ${step}`);
  expect(names).toHaveLength(new Set(names).size);
  expect(names.filter((name) => name.startsWith('grid_objective'))).toHaveLength(candidates);
  expect(run.metrics.find(({ key }) => key === 'test_f1')?.value).toBe(0.5);
  expect(Object.fromEntries(run.params)).toMatchObject({
    trees: '1',
    seed: '42',
    features: 'cpu,memory,network',
  });
  expect(Object.fromEntries(run.tags)).toMatchObject({
    'edgewood.version': '1',
    'edgewood.registeredVersion': '1',
    'mlflow.source.name': 'edgewood train',
  });
  const root = run.artifactUri.replace('mlflow-artifacts:/', '');
  expect([...artifacts.keys()].sort()).toEqual(
    ['model-card.md', 'model/record.json', 'model/web-v1.edgewood', 'reports/report.html'].map(
      (path) => `${root}/${path}`,
    ),
  );
  expect(artifacts.get(`${root}/model/web-v1.edgewood`)).toEqual(Buffer.from(BYTES));
  const model = models.get('web');
  expect(model?.versions).toHaveLength(1);
  expect(model?.versions[0]).toMatchObject({ runId: run.runId, source: `${run.artifactUri}/model` });
  expect(model?.versions[0]?.tags.get('edgewood.version')).toBe('1');
  expect(model?.aliases.get('production')).toBe('1');
}

const whole = async (queue: TrackingQueue, fake: FakeMlflow) =>
  await trackOrKeep(queue, at(fake.url), modelRecord(), BYTES, EXTRA, OPTIONS);

test('a training is logged whole, as the reference says', async () => {
  const fake = await server();
  const queue = queueIn();
  const { sentence, figures } = await whole(queue, fake);
  expectWhole(fake);
  expect(figures.waiting).toEqual([]);
  expect(sentence).toBe(`MLflow has it: ${fake.url}, run ${'1'.padStart(32, '0')}, web version 1.`);
  // Kept once, sent once.
  const before = fake.seen.length;
  await whole(queue, fake);
  expect(fake.seen.length).toBe(before);
  expectWhole(fake);
});

test('below a path, and with many candidates, batches keep their limits', async () => {
  const fake = await server({ basePath: '/ml/flow' });
  await trackOrKeep(queueIn(), at(`${fake.url}/`), modelRecord({}, 200), BYTES, EXTRA, OPTIONS);
  expectWhole(fake, 200);
  expect(fake.seen.filter(({ call }) => call === 'runs/log-batch').length).toBeGreaterThan(3);
});

const BREAKS: readonly Fault[] = ['cut', 'cutAnswer', 'cutBody', { status: 500 }, { status: 401 }];

test.each(BREAKS)(
  'stopped at each request in turn (%j), what is there in the end is one whole run',
  {
    timeout: 60_000,
  },
  async (fault) => {
    for (let nth = 1; ; nth++) {
      let struck = false;
      const fake = await server({
        // From there on for the whole of that call: the process gave up.
        fault: (_call, request) => {
          struck ||= request >= nth;
          return request >= nth ? fault : null;
        },
      });
      const directory = temporaryDirectory();
      const queue = queueIn(directory);
      const first = await whole(queue, fake);
      if (!struck) {
        expectWhole(fake);
        expect(nth).toBeGreaterThan(12);
        break;
      }
      expect(first.figures.waiting).toHaveLength(1);
      expect(first.sentence).toMatch(/^Kept for MLflow, not sent: http/);
      fake.options = {};
      const again = await sync(queueIn(directory), at(fake.url), OPTIONS);
      expect(again.waiting).toEqual([]);
      expectWhole(fake);
    }
  },
);

test.each(['cut', 'cutAnswer', { status: 503 }] as const)(
  'each call fails once (%j): outlived',
  async (fault) => {
    const failed = new Set<string>();
    const fake = await server({
      fault: (call) => {
        if (failed.has(call)) return null;
        failed.add(call);
        return fault;
      },
    });
    const { figures } = await whole(queueIn(), fake);
    expect(figures.waiting).toEqual([]);
    expect(failed.size).toBeGreaterThanOrEqual(11);
    expectWhole(fake);
  },
);

test('waits as long as it is asked to, but not for long', async () => {
  waits.length = 0;
  const busy = (seconds: string) => ({ status: 429, headers: { 'retry-after': seconds } });
  const fake = await server({ fault: (_call, nth) => (nth === 3 ? busy('7') : null) });
  await whole(queueIn(), fake);
  expectWhole(fake);
  expect(waits).toEqual([7000]);
  fake.options = { fault: () => busy('600') };
  const { sentence } = await whole(queueIn(), fake);
  expect(sentence).toMatch(/429: it is asked too often/);
  expect(waits).toEqual([7000]);
});

test.each([
  ['hang', /no answer within 0\.3 s/],
  ['endless', /more than 1000000 bytes/],
  ['cutBody', /cut short/],
  [{ status: 302, headers: { location: 'http://example.org/' } }, /not followed/],
  [{ status: 200, body: '<html>log in</html>' }, /no MLflow server/],
  [{ status: 200, body: '{"experiment":{}}' }, /has no experiment_id/],
  [{ status: 403, body: 'x'.repeat(10_000) }, /403: who we are may not/],
  [{ status: 404, body: '' }, /404: is this the address of an MLflow server\? `edgewood/],
] as const)('%j is told in words, and the training is kept', async (fault, words) => {
  const fake = await server({ fault: () => fault });
  const { sentence, figures } = await whole(queueIn(), fake);
  expect(sentence).toMatch(words);
  expect(sentence.length).toBeLessThan(700);
  expect(figures.waiting).toHaveLength(1);
});

test('nothing listens there', async () => {
  const away = at('http://127.0.0.1:1');
  const { sentence } = await trackOrKeep(queueIn(), away, modelRecord(), BYTES, {}, OPTIONS);
  expect(sentence).toMatch(
    /^Kept for MLflow, not sent: http:\/\/127\.0\.0\.1:1: nothing listens there .*is the port right\? `edgewood/,
  );
});

test.each([
  ['none', /artifacts are kept at s3:\/\/bucket/],
  ['off', /without --serve-artifacts/],
] as const)(
  'without an artifact proxy (%s) all but the files is logged, and that is said',
  async (artifacts, words) => {
    const fake = await server({ artifacts });
    const { sentence } = await whole(queueIn(), fake);
    expect(sentence).toMatch(words);
    const [run] = [...fake.state.runs.values()];
    expect(run?.status).toBe('FINISHED');
    expect(run?.tags.get('edgewood.artifactsMissing')).toMatch(words);
    expect(run?.params.get('trees')).toBe('1');
    expect(fake.state.artifacts.size).toBe(0);
  },
);

test('who we are is sent, and never written or repeated', async () => {
  const directory = temporaryDirectory();
  const fake = await server({
    authorization: `Basic ${Buffer.from('ann:open-sesame').toString('base64')}`,
  });
  const wrong = at(fake.url, {
    MLFLOW_TRACKING_USERNAME: 'ann',
    MLFLOW_TRACKING_PASSWORD: 'hunter2-hunter2',
  });
  const queue = queueIn(directory);
  const { sentence } = await trackOrKeep(queue, wrong, modelRecord(), BYTES, EXTRA, OPTIONS);
  expect(sentence).toMatch(/401: it does not know who we are/);
  const secrets = ['hunter2-hunter2', Buffer.from('ann:hunter2-hunter2').toString('base64')];
  const kept = JSON.stringify(queue.waiting());
  for (const secret of secrets) expect(`${sentence}${kept}`).not.toContain(secret);
  const right = at(fake.url, { MLFLOW_TRACKING_USERNAME: 'ann', MLFLOW_TRACKING_PASSWORD: 'open-sesame' });
  await sync(queue, right, OPTIONS);
  expectWhole(fake);
});

test('an experiment that was deleted there is named with its mend', async () => {
  const fake = await server();
  fake.state.experiments.set('anomaly_detection_training', { id: '7', stage: 'deleted' });
  const queue = queueIn();
  const { sentence } = await whole(queue, fake);
  expect(sentence).toMatch(/was deleted there.*restore --experiment-id 7/);
  fake.state.experiments.set('anomaly_detection_training', { id: '7', stage: 'active' });
  await sync(queue, at(fake.url), OPTIONS);
  expectWhole(fake);
});

test('an experiment or a model that somebody else makes meanwhile is taken', async () => {
  const fake = await server({
    fault: (call) => {
      if (call === 'experiments/create') {
        fake.state.experiments.set('anomaly_detection_training', { id: '9', stage: 'active' });
      }
      return null;
    },
  });
  fake.state.models.set('web', { versions: [], aliases: new Map() });
  await whole(queueIn(), fake);
  expectWhole(fake);
});

test('a run that was removed there while it was half sent is begun anew', async () => {
  const fake = await server({ fault: (call) => (call === 'PUT artifact' ? 'cut' : null) });
  const queue = queueIn();
  await whole(queue, fake);
  for (const run of fake.state.runs.values()) run.stage = 'deleted';
  fake.options = {};
  const first = await sync(queue, at(fake.url), OPTIONS);
  const second = first.waiting.length === 0 ? first : await sync(queue, at(fake.url), OPTIONS);
  expect(second.waiting).toEqual([]);
  expect([...fake.state.runs.values()].map(({ stage }) => stage)).toEqual(['deleted', 'active']);
});

test('what was half sent to one server goes whole to another', async () => {
  const one = await server({ fault: (call) => (call === 'PUT artifact' ? 'cut' : null) });
  const two = await server();
  const queue = queueIn();
  await whole(queue, one);
  await sync(queue, at(two.url), OPTIONS);
  expectWhole(two);
});

test('one that a server refuses does not hold up the others, and takes no alias back later', async () => {
  const fake = await server({ fault: (call) => (call === 'PUT artifact' ? { status: 413 } : null) });
  const queue = queueIn();
  const first = await whole(queue, fake);
  expect(first.sentence).toMatch(/413: too large/);
  let refused = false;
  fake.options = {
    fault: (call) => {
      if (call !== 'PUT artifact' || refused) return null;
      refused = true;
      return { status: 413 };
    },
  };
  const two = modelRecord({ version: 2, sha256: 'ef'.repeat(32) });
  const second = await trackOrKeep(queue, at(fake.url), two, BYTES, EXTRA, OPTIONS);
  expect(second.sentence).toMatch(/MLflow has it: .* web version 1\.$/);
  expect(second.figures.waiting).toMatchObject([
    { name: 'web', version: 1, reason: expect.stringMatching(/413/) },
  ]);
  const model = fake.state.models.get('web');
  expect(model?.versions[0]?.tags.get('edgewood.version')).toBe('2');
  const third = await sync(queue, at(fake.url), OPTIONS);
  expect(third.sent).toMatchObject([{ ours: 1, version: '2', aliasesKept: ['production'] }]);
  expect(model?.aliases.get('production')).toBe('1');
});

test('two at once: one sends, the other says so', async () => {
  const directory = temporaryDirectory();
  const fake = await server();
  const queue = queueIn(directory);
  const release = queueIn(directory).lock();
  const { sentence } = await whole(queue, fake);
  expect(sentence).toMatch(/another process is sending/);
  release?.();
  const both = await Promise.all([
    sync(queue, at(fake.url), OPTIONS),
    sync(queueIn(directory), at(fake.url), OPTIONS),
  ]);
  expect(both.filter(({ busy }) => busy)).toHaveLength(1);
  expectWhole(fake);
});
