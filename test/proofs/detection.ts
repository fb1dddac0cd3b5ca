/**
 * `npm run prove:detection [--seed 1] [--seeds 3] [--trees N] [--series NAME]`: both detectors on every labelled series:
 * trained on the training part, encoded, decoded, streamed over the test part, with what `train` and `evaluate` are made
 * of. Thresholds come from the training part alone, at one alarm a day and one a week. No point adjustment. Exit 1 where
 * a set misses its floor.
 */
import type { DetectorKind } from '../../core/model.ts';
import { haveData, KNOWN, loadSeries } from './alarms/series.ts';
import { BUDGETS, judgeDetector } from './detection/judge.ts';
import { REFERENCE_VUS_PR_ELSEWHERE } from './detection/reference.ts';
import { type Floors, type Row, seriesResult, setResult } from './detection/summary.ts';
import { HEAD, seriesLine, setLine } from './detection/table.ts';
import { circumstances, has, numberArgument, writeResult } from './proof.ts';

const DETECTORS: readonly DetectorKind[] = ['metric-forests', 'isolation-forest'];
/** Of metric-forests. Machines differ more than seeds do: sets have floors, series have none. */
const FLOORS: Readonly<Record<string, Floors>> = {
  'SMD 3': { averagePrecision: 0.42, vusPr: 0.3, f1: 0.26, mostFalsePerDay: 0.6 },
  'SMD 38': { averagePrecision: 0.38, vusPr: 0.46, f1: 0.7, mostFalsePerDay: 0.4 },
  ASD: { averagePrecision: 0.32, vusPr: 0.41, f1: 0.58, mostFalsePerDay: 0.4 },
  NAB: { averagePrecision: 0.22, vusPr: 0.26, f1: 0.65, mostFalsePerDay: 0.6 },
};

process.exitCode = main();

function main(): number {
  if (!haveData()) {
    console.error('prove:detection: the labelled series are not here; name their folder in EDGEWOOD_DATA.');
    return 3;
  }
  const seed = numberArgument('seed', 1);
  const seeds = numberArgument('seeds', 3);
  const trees = has('trees') ? numberArgument('trees', 4) : null;
  const only = has('series') ? (process.argv[process.argv.indexOf('--series') + 1] ?? '') : null;
  const wanted = only === null ? KNOWN : KNOWN.filter(({ files }) => files[0]?.includes(only));
  if (wanted.length === 0) {
    console.error(`prove:detection: no series is named "${only}"`);
    return 2;
  }
  console.log(HEAD);
  const rows: Row[] = [];
  for (const known of wanted) {
    const series = loadSeries(known);
    for (const detector of DETECTORS) {
      // Trees are metric-forests'; the standard forest is the standard one.
      const count = detector === 'metric-forests' ? trees : null;
      const runs = Array.from({ length: seeds }, (_, i) => judgeDetector(series, detector, seed + i, count));
      const row: Row = { set: series.set, series: series.name, detector, runs, reference: known.reference };
      rows.push(row);
      console.log(seriesLine(seriesResult(row)));
    }
  }
  const sets = [...new Set(rows.map(({ set }) => set))].flatMap((set) =>
    DETECTORS.map((detector) =>
      setResult(
        rows.filter((row) => row.set === set && row.detector === detector),
        FLOORS[set],
      ),
    ),
  );
  console.log('');
  for (const set of sets) console.log(setLine(set));
  const whole = only === null;
  const passed = !whole || sets.every(({ missed }) => missed.length === 0);
  if (whole && trees === null) {
    const file = writeResult('proofs', 'detection', {
      ...circumstances(),
      command: 'npm run prove:detection',
      seeds: Array.from({ length: seeds }, (_, i) => seed + i),
      alarmsPerDay: BUDGETS,
      floors: FLOORS,
      sets,
      series: rows.map(seriesResult),
      referenceVusPrElsewhere: REFERENCE_VUS_PR_ELSEWHERE,
      passed,
    });
    console.log(`\n${file}`);
  }
  console.log(passed ? 'PASSED' : 'FAILED: a set misses its floor');
  return passed ? 0 : 1;
}
