import { FOREST_DEFAULTS } from '../../core/metric-forests.ts';
import { DEFAULT_BUDGET, type DetectorKind } from '../../core/model.ts';
import { TRAINING_DEFAULTS, type TrainingOptions } from '../../core/train.ts';
import { DataError } from '../data/table.ts';

/** One set of parameters that a model can be trained with. */
export interface Candidate {
  readonly detector: DetectorKind;
  readonly trees: number;
  readonly rowsPerTree: number;
  /** metric-forests only: samples. */
  readonly windows: { readonly short: number; readonly long: number } | null;
  /** Alarms a day that the host may cost; null where `contamination` decides, or an imported threshold does. */
  readonly budgetPerDay: number | null;
  readonly contamination: number | null;
}

/** What is tried; each is a list. What is missing is what the recipe says. */
export interface Grid {
  readonly detector: readonly DetectorKind[];
  readonly trees: readonly number[] | null;
  readonly rowsPerTree: readonly number[];
  readonly windows: readonly { readonly short: number; readonly long: number }[];
  readonly budgetPerDay: readonly number[];
  readonly contamination: readonly number[] | null;
}

export const CANDIDATES_MAX = 200;
const DEFAULT_TREES = { 'metric-forests': [4, 16], 'isolation-forest': [100] } as const;

export const defaultGrid = (
  detectors: readonly DetectorKind[],
  budgetPerDay: number,
  contamination: number | null,
): Grid => ({
  detector: detectors,
  trees: null,
  rowsPerTree: [256],
  windows: [
    { short: 15, long: 60 },
    { short: 5, long: 20 },
  ],
  budgetPerDay: [budgetPerDay],
  contamination: contamination === null ? null : [contamination],
});

/** All combinations, the recipe's first. @throws DataError where there are too many */
export function candidatesOf(grid: Grid): Candidate[] {
  const cuts =
    grid.contamination === null
      ? grid.budgetPerDay.map((budgetPerDay) => ({ budgetPerDay, contamination: null }))
      : grid.contamination.map((contamination) => ({ budgetPerDay: null, contamination }));
  const all = grid.detector.flatMap((detector) =>
    (grid.trees ?? DEFAULT_TREES[detector]).flatMap((trees) =>
      grid.rowsPerTree.flatMap((rowsPerTree) =>
        (detector === 'metric-forests' ? grid.windows : [null]).flatMap((windows) =>
          cuts.map((cut): Candidate => ({ detector, trees, rowsPerTree, windows, ...cut })),
        ),
      ),
    ),
  );
  if (all.length > CANDIDATES_MAX) {
    throw new DataError(
      `the grid has ${all.length} candidates, at most ${CANDIDATES_MAX} are tried. Name fewer values.`,
    );
  }
  return all;
}

export function trainingOptions(candidate: Candidate): TrainingOptions {
  const { detector, trees, rowsPerTree, windows, budgetPerDay, contamination } = candidate;
  const scale = (budgetPerDay ?? DEFAULT_BUDGET.infoPerDay) / DEFAULT_BUDGET.infoPerDay;
  return {
    ...TRAINING_DEFAULTS,
    detector,
    windows: windows ?? TRAINING_DEFAULTS.windows,
    forest: { ...FOREST_DEFAULTS, trees, rowsPerTree },
    isolationForest: { trees, rowsPerTree },
    // The rarer severities keep their distance from the first.
    budget: {
      infoPerDay: DEFAULT_BUDGET.infoPerDay * scale,
      warningPerDay: DEFAULT_BUDGET.warningPerDay * scale,
      criticalPerDay: DEFAULT_BUDGET.criticalPerDay * scale,
    },
    contamination,
  };
}

/** `metric-forests, 4 trees x 256 rows, windows 15/60, 1 alarm a day`. */
export function candidateWords(candidate: Candidate): string {
  const { detector, trees, rowsPerTree, windows, budgetPerDay, contamination } = candidate;
  const budget = budgetPerDay === null ? 'a threshold of its own' : `${budgetPerDay} a day`;
  const cut = contamination === null ? budget : `contamination ${contamination}`;
  const spans = windows === null ? '' : `, windows ${windows.short}/${windows.long}`;
  return `${detector}, ${trees} x ${rowsPerTree}${spans}, ${cut}`;
}

const DETECTORS: readonly DetectorKind[] = ['metric-forests', 'isolation-forest'];

/**
 * A grid as somebody wrote it (parsed YAML): any of detector, trees, rowsPerTree, windows ("15/60"), budgetPerDay,
 * contamination, each a value or a list.
 * @throws DataError naming the key and what was expected
 */
export function gridOf(document: unknown, path: string, base: Grid): Grid {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new DataError(`${path}: expected a map such as "trees: [4, 16]".`);
  }
  const map = document as Record<string, unknown>;
  const keys = Object.keys(base);
  const stray = Object.keys(map).find((key) => !keys.includes(key));
  if (stray !== undefined) throw new DataError(`${path}: unknown "${stray}", expected ${keys.join(', ')}.`);
  const list = <T>(
    key: keyof Grid,
    read: (value: unknown) => T | null,
    expected: string,
  ): readonly T[] | null => {
    if (!Object.hasOwn(map, key)) return null;
    const given = Array.isArray(map[key]) ? (map[key] as unknown[]) : [map[key]];
    const values = given.map(read);
    if (values.length === 0 || values.includes(null)) {
      throw new DataError(
        `${path}: ${key}: expected ${expected}, or a list of such, found ${JSON.stringify(map[key])}.`,
      );
    }
    // Named twice is meant once.
    return (values as T[]).filter((value, i) => values.findIndex((one) => isEqual(one, value)) === i);
  };
  if (Object.hasOwn(map, 'budgetPerDay') && Object.hasOwn(map, 'contamination')) {
    throw new DataError(
      `${path}: budgetPerDay and contamination: either decides how much is flagged; keep one of them.`,
    );
  }
  const whole = (least: number, most: number) => (value: unknown) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most ? Number(value) : null;
  const between = (low: number, high: number) => (value: unknown) =>
    typeof value === 'number' && value > low && value <= high ? value : null;
  return {
    detector:
      list('detector', (x) => DETECTORS.find((d) => d === x) ?? null, DETECTORS.join(' or ')) ??
      base.detector,
    trees: list('trees', whole(1, 1000), 'a whole number from 1 to 1000') ?? base.trees,
    rowsPerTree: list('rowsPerTree', whole(2, 65_535), 'a whole number from 2 to 65535') ?? base.rowsPerTree,
    windows: list('windows', windowsOf, 'SHORT/LONG in samples, e.g. 15/60') ?? base.windows,
    budgetPerDay: list('budgetPerDay', between(0, 1000), 'alarms a day, above 0') ?? base.budgetPerDay,
    contamination: list('contamination', between(0, 0.5), 'a share above 0, up to 0.5') ?? base.contamination,
  };
}

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function windowsOf(value: unknown): { short: number; long: number } | null {
  const match = typeof value === 'string' ? /^(\d+)\/(\d+)$/.exec(value) : null;
  if (match === null) return null;
  const [short, long] = [Number(match[1]), Number(match[2])];
  return short >= 2 && short <= 4096 && long >= short && long <= 100_000 ? { short, long } : null;
}
