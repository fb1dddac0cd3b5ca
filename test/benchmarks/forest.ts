/**
 * `npm run bench:forest`: the standard isolation forest (100 trees x 256 rows, 3 features, one thread) against
 * scikit-learn's, in turns: fit, a batch, single rows; and TreeSHAP of one row. Medians over the repeats, of wall and
 * CPU time. Needs Debian's python3-sklearn.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactForest } from '../../core/compact-forest.ts';
import { fitIsolationForest, isolationScore } from '../../core/isolation-forest.ts';
import { Random } from '../../core/random.ts';
import { TreeShap } from '../../core/tree-shap.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { mediansOf, needPython, PythonPeer, ratiosOf, type Seconds, timed } from './python-peer.ts';

const ROWS = 100_000;
const FEATURES = 3;
const REPEATS = 9;
const WARM_FITS = 10;
const FITS = 10;
const SINGLE_PEER = 20;
const SINGLE_OWN = 20_000;
const SHAP_ROWS = 500;
const REQUIRED = { fit: 30, batch: 8, single: 5000 };

needPython('sklearn', 'python3-sklearn');
const random = new Random(1);
const rows = Float64Array.from({ length: ROWS * FEATURES }, (_, i) =>
  i % FEATURES === 2 ? 1e5 * random.float() ** 3 : 20 + 30 * random.float() * random.float(),
);
const file = join(tmpdir(), `edgewood-forest-${process.pid}.f64`);
writeFileSync(file, new Uint8Array(rows.buffer));
const peer = new PythonPeer('sklearn_worker.py', [file, String(FEATURES)]);
const versions = await peer.answer<Record<string, string>>();

const scores = new Float64Array(ROWS);
const row = new Float64Array(FEATURES);
const contributions = new Float64Array(FEATURES);
let forest = fitIsolationForest(rows, FEATURES, new Random(0));
const cold = timed(() => {
  forest = fitIsolationForest(rows, FEATURES, new Random(1));
});
let compact = new CompactForest(forest);
// The peer is compiled before it begins; ours by its first calls.
for (let warm = 0; warm < WARM_FITS; warm++) forest = fitIsolationForest(rows, FEATURES, new Random(warm));
compact.scoreRows(rows, scores);
const each = (count: number, work: (i: number) => void): Seconds => {
  const { wall, cpu } = timed(() => {
    for (let i = 0; i < count; i++) work(i);
  });
  return { wall: wall / count, cpu: cpu / count };
};
const eachRow = (count: number, work: () => void): Seconds =>
  each(count, (i) => {
    for (let k = 0; k < FEATURES; k++) row[k] = rows[i * FEATURES + k] as number;
    work();
  });
let sink = 0;
const own = { fit: [] as Seconds[], batch: [] as Seconds[], single: [] as Seconds[] };
const other = { fit: [] as Seconds[], batch: [] as Seconds[], single: [] as Seconds[] };
const shap: Seconds[] = [];
const walked: Seconds[] = [];
for (let repeat = 0; repeat < REPEATS; repeat++) {
  // Several, because one is over before the processor has turned to it.
  own.fit.push(
    each(FITS, () => {
      forest = fitIsolationForest(rows, FEATURES, new Random(repeat));
    }),
  );
  other.fit.push(await peer.ask(`fit ${repeat}`));
  compact = new CompactForest(forest);
  own.batch.push(timed(() => compact.scoreRows(rows, scores)));
  other.batch.push(await peer.ask('batch'));
  own.single.push(
    eachRow(SINGLE_OWN, () => {
      sink += compact.score(row);
    }),
  );
  const { wall, cpu } = await peer.ask(`single ${SINGLE_PEER}`);
  other.single.push({ wall: wall / SINGLE_PEER, cpu: cpu / SINGLE_PEER });
  walked.push(
    eachRow(2000, () => {
      sink += isolationScore(forest, row);
    }),
  );
  const explainer = new TreeShap(forest);
  shap.push(
    eachRow(SHAP_ROWS, () => {
      explainer.explain(row, contributions);
    }),
  );
}
peer.close();
rmSync(file);
if (!Number.isFinite(sink)) throw new Error('a score was not finite');

const compare = (name: keyof typeof REQUIRED) => ({
  required: REQUIRED[name],
  ratio: ratiosOf(other[name], own[name]),
  seconds: mediansOf(own[name]),
  sklearnSeconds: mediansOf(other[name]),
});
const result = {
  ...circumstances(),
  command: 'npm run bench:forest',
  peer: versions,
  rows: ROWS,
  features: FEATURES,
  trees: 100,
  rowsPerTree: 256,
  repeats: REPEATS,
  fit: compare('fit'),
  firstFitSeconds: cold,
  batch: compare('batch'),
  single: compare('single'),
  walkedNodeByNodeSeconds: mediansOf(walked),
  treeShap: { requiredSeconds: 1e-3, seconds: mediansOf(shap) },
};
for (const name of ['fit', 'batch', 'single'] as const) {
  const { ratio, required, seconds, sklearnSeconds } = result[name];
  console.log(
    `${name.padEnd(7)} ${(1e3 * seconds.wall).toPrecision(3)} ms, scikit-learn ${(1e3 * sklearnSeconds.wall).toPrecision(3)} ms: ${ratio.wall.toFixed(1)} times (CPU ${ratio.cpu.toFixed(1)}), at least ${required}`,
  );
}
const { wall, cpu } = result.treeShap.seconds;
console.log(`TreeSHAP ${(1e3 * wall).toFixed(3)} ms a row (CPU ${(1e3 * cpu).toFixed(3)}), at most 1`);
console.log(writeResult('benchmarks', 'forest', result));
