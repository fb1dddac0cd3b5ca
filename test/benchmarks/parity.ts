/**
 * `npm run bench:parity`: do our fits rank rows as scikit-learn's do? Forests are random, so both sides are fitted with
 * several seeds, on the same rows, and the ranks (Spearman) of the scores of other rows are compared: scikit-learn's
 * seeds among themselves, ours with scikit-learn's, ours among themselves. docs/PARITY.md says how to read it. Needs
 * Debian's python3-sklearn; EDGEWOOD_DATA names the folder of the labelled series.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactForest } from '../../core/compact-forest.ts';
import { fitIsolationForest } from '../../core/isolation-forest.ts';
import { Random } from '../../core/random.ts';
import { HOST_DATA_SCHEMA } from '../../models/data/data-schema.ts';
import { validateFile } from '../../models/data/validation.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { median, needPython, PythonPeer } from './python-peer.ts';

const SEEDS = 10;
const SPECIAL = ['timestamp', 'label', 'probation'];

interface Series {
  readonly name: string;
  readonly features: number;
  /** Row-major. */
  readonly train: Float64Array;
  readonly test: Float64Array;
}

needPython('sklearn', 'python3-sklearn');
const directory = mkdtempSync(join(tmpdir(), 'edgewood-parity-'));
try {
  const results = [];
  let peer: Record<string, string> = {};
  for (const series of await allSeries()) {
    const compared = await compare(series);
    peer = compared.peer;
    const { name, among, cross, own, inside } = compared.result;
    console.log(
      `${name.padEnd(24)} scikit-learn's seeds ${words(among)}, ours with them ${words(cross)}, ours ${words(own)}: ${inside ? 'within' : 'NOT within'} the spread`,
    );
    results.push(compared.result);
  }
  const file = writeResult('benchmarks', 'parity', {
    ...circumstances(),
    command: 'npm run bench:parity',
    peer,
    trees: 100,
    rowsPerTree: 256,
    seeds: SEEDS,
    series: results,
  });
  console.log(file);
  if (!results.every(({ inside }) => inside)) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true });
}

async function allSeries(): Promise<Series[]> {
  const found: Series[] = [synthetic()];
  const nab = join(import.meta.dirname, '..', 'oracle', 'nab-ec2-cpu-5f5533.csv.gz');
  const rows = await read(nab);
  const half = rows.features * Math.floor(rows.values.length / rows.features / 2);
  found.push({
    name: 'NAB ec2-cpu-5f5533',
    features: rows.features,
    train: rows.values.subarray(0, half),
    test: rows.values.subarray(half),
  });
  const data = process.env['EDGEWOOD_DATA'];
  for (const [name, path] of [
    ['SMD 1-2, 3 columns', 'smd/machine-1-2.*.3.csv.gz'],
    ['SMD 3-10, 3 columns', 'smd/machine-3-10.*.3.csv.gz'],
    ['SMD 2-1, 38 columns', 'smd/machine-2-1.*.38.csv.gz'],
    ['ASD omi-1, 19 columns', 'asd/omi-1.*.csv.gz'],
  ] as const) {
    const [train = '', test = ''] = ['train', 'test'].map((part) =>
      join(data ?? '', path.replace('*', part)),
    );
    if (data === undefined || !existsSync(train)) {
      console.log(`${name.padEnd(24)} left out: EDGEWOOD_DATA names no folder that has it`);
      continue;
    }
    const [first, second] = [await read(train), await read(test)];
    found.push({ name, features: first.features, train: first.values, test: second.values });
  }
  return found;
}

/** A daily wave, bursts, a slow walk, and a twentieth of the rows apart. */
function synthetic(): Series {
  const random = new Random(11);
  let walk = 0;
  const rows = (count: number): Float64Array =>
    Float64Array.from(
      Array.from({ length: count }, (_, i) => {
        walk += random.float() - 0.5;
        const strange = random.below(20) === 0 ? 40 * random.float() : 0;
        const wave = Math.abs((i % 1440) - 720) / 720;
        return [
          20 + 30 * wave + 5 * random.float() + strange,
          walk,
          1e4 * random.float() ** 4,
          random.below(4),
        ];
      }).flat(),
    );
  return { name: 'synthetic, 4 columns', features: 4, train: rows(20_000), test: rows(10_000) };
}

async function read(path: string): Promise<{ features: number; values: Float64Array }> {
  const values: number[] = [];
  let features = 0;
  await validateFile(path, { schema: HOST_DATA_SCHEMA, maxViolationRate: 1 }, (row, names) => {
    const wanted = [...names.keys()].filter((i) => !SPECIAL.includes(names[i] as string));
    features = wanted.length;
    const picked = wanted.map((i) => row.values[i] as number);
    if (picked.every(Number.isFinite)) values.push(...picked);
  });
  return { features, values: Float64Array.from(values) };
}

async function compare({ name, features, train, test }: Series) {
  const [trainFile, testFile, out] = ['train', 'test', 'out'].map((part) => join(directory, part)) as [
    string,
    string,
    string,
  ];
  for (const [file, values] of [
    [trainFile, train],
    [testFile, test],
  ] as const) {
    writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  const python = new PythonPeer('sklearn_worker.py', [trainFile, String(features)]);
  const peer = await python.answer<Record<string, string>>();
  const theirs: Float64Array[] = [];
  const ours: Float64Array[] = [];
  for (let seed = 0; seed < SEEDS; seed++) {
    await python.ask(`scores ${seed} ${testFile} ${out}`);
    theirs.push(ranks(new Float64Array(new Uint8Array(readFileSync(out)).buffer)));
    const scores = new Float64Array(test.length / features);
    new CompactForest(fitIsolationForest(train, features, new Random(seed))).scoreRows(test, scores);
    ours.push(ranks(scores));
  }
  python.close();
  const pairs = (all: readonly Float64Array[]): number[] =>
    all.flatMap((a, i) => all.slice(i + 1).map((b) => correlation(a, b)));
  const among = spread(pairs(theirs));
  const cross = spread(ours.flatMap((a) => theirs.map((b) => correlation(a, b))));
  const own = spread(pairs(ours));
  const inside = cross.median >= among.min && cross.median <= among.max;
  return {
    peer,
    result: {
      name,
      features,
      trainRows: train.length / features,
      testRows: test.length / features,
      among,
      cross,
      own,
      inside,
    },
  };
}

function spread(values: readonly number[]) {
  return { pairs: values.length, min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

function words({ min, median: middle, max }: ReturnType<typeof spread>): string {
  return `${middle.toFixed(4)} (${min.toFixed(4)} to ${max.toFixed(4)})`;
}

/** Ties share their mean rank. */
function ranks(values: Float64Array): Float64Array {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] as number) - (values[b] as number));
  const out = new Float64Array(values.length);
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end < order.length && values[order[end] as number] === values[order[i] as number]) end++;
    for (let k = i; k < end; k++) out[order[k] as number] = (i + end - 1) / 2;
    i = end;
  }
  return out;
}

/** Pearson's; of ranks it is Spearman's. */
function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (a.length - 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] as number) - mean, (b[i] as number) - mean];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}
