import { printable } from '../../agent/log.ts';
import { exceedanceOf, overByShiftAlone } from '../../core/drift/significance.ts';
import { formatDuration } from '../../core/words.ts';
import type { DriftComparison, DriftVerdict, FeatureDrift } from '../../models/drift/comparison.ts';
import { paint } from '../alert-view.ts';
import { aligned, brief } from '../table.ts';
import type { DriftReport } from './drift-document.ts';

export const VERDICT_WORDS: Readonly<Record<DriftVerdict, string>> = {
  steady: 'steady',
  suspected: 'suspected',
  drifting: 'drifting',
  undecided: 'undecided',
  unseen: 'reference too sparse',
  sparse: 'too few values',
  stuck: 'sensor stuck',
  missing: 'values missing',
};

/** What a person wants to know, the verdict first. */
export function driftPage(report: DriftReport, colour: boolean): string {
  const { comparison } = report;
  const { verdict, notes } = comparison;
  const shade = verdict === 'steady' ? '32' : verdict === 'drifting' ? '31' : '33';
  const lines = [
    `${paint(shade, VERDICT_WORDS[verdict], colour)}  ${headline(comparison)}`,
    `  reference  ${printable(spanWords(report.reference.shown, report.source))}`,
    `  live       ${printable(spanWords(report.live.host, liveSpan(report)))}`,
    ...notes.map((note) => `  ${paint('33', 'note', colour)} ${printable(note)}`),
    '',
    ...aligned([FEATURE_HEADS, ...byWeight(comparison.features).map(featureCells)]),
    '',
    ...EXPLAINED.map((line) => `  ${line}`),
  ];
  return lines.join('\n');
}

/** `severity 6 of 10 (first at …), windows of 24 h, provisional`; or why there is none. */
export function headline({
  severity,
  severityAtMs,
  windowMs,
  provisional,
  undecided,
  decisions,
}: DriftComparison): string {
  if (severity === null || severityAtMs === null || windowMs === null) {
    return `no calibrated decision: ${undecided}`;
  }
  const judged = decisions.filter(({ unjudged }) => unjudged === null);
  const over = judged.filter(({ streams }) => streams.some((stream) => stream.over)).length;
  const asked = decisions.filter(({ retrain }) => retrain).length;
  const at = severity === 1 ? '' : ` (first at ${minute(severityAtMs)})`;
  const retrain = asked === 0 ? '' : `, retraining asked for ${asked === 1 ? 'once' : `${asked} times`}`;
  return `severity ${severity} of 10${at}; ${over} of ${judged.length} windows of ${formatDuration(windowMs)} over${retrain}${provisional ? '; provisional' : ''}`;
}

const minute = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 16);

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: number;
  readonly intervalMs: number;
}

export const liveSpan = ({ live: { timesMs, intervalMs } }: DriftReport): Span => ({
  fromMs: timesMs[0] as number,
  toMs: timesMs.at(-1) as number,
  rows: timesMs.length,
  intervalMs,
});

export const spanWords = (name: string, { fromMs, toMs, rows, intervalMs }: Span): string =>
  `${name}: ${rows} rows, ${minute(fromMs)} to ${minute(toMs)}, every ${formatDuration(intervalMs)}`;

/** The worst first. */
export function byWeight(features: readonly FeatureDrift[]): FeatureDrift[] {
  const beyond = ({ farthest }: FeatureDrift): number => (farthest === null ? -1 : exceedanceOf(farthest));
  return features
    .map((feature, i) => ({ feature, i }))
    .sort(
      (a, b) =>
        (b.feature.severity ?? 0) - (a.feature.severity ?? 0) ||
        beyond(b.feature) - beyond(a.feature) ||
        (b.feature.d ?? -1) - (a.feature.d ?? -1) ||
        a.i - b.i,
    )
    .map(({ feature }) => feature);
}

export const FEATURE_HEADS = [
  '',
  'verdict',
  'severity',
  'over',
  'farthest D',
  'threshold',
  'by',
  'p',
  'D of all',
  'naive p',
  'shift',
  'PSI',
  'went',
] as const;

export function featureCells(feature: FeatureDrift): string[] {
  const { name, verdict, severity, farthest, d, naive, effect, psi, direction } = feature;
  return [
    printable(name),
    VERDICT_WORDS[verdict],
    severity === null ? '–' : String(severity),
    feature.windowsJudged === 0 ? '–' : `${feature.windowsOver} of ${feature.windowsJudged}`,
    share(farthest?.d ?? null),
    share(farthest?.threshold ?? null),
    overBy(farthest),
    small(farthest?.p ?? null),
    share(d),
    naive === null ? '–' : `${small(naive.p)} ${naive.method}`,
    effect === null ? '–' : `${effect < 1000 ? effect.toFixed(2) : brief(effect)} SD`,
    psi === null ? '–' : psi.toFixed(2),
    d === null || d < 0.005 || direction === null ? '–' : direction,
  ];
}

/** Which of the two distances made the farthest window be over. */
function overBy(farthest: FeatureDrift['farthest']): string {
  if (farthest === null || !farthest.over) return '–';
  const byShift = overByShiftAlone(farthest);
  return byShift === null ? 'D' : `shift, ${byShift.toFixed(1)} x`;
}

/** What the columns mean. */
export const EXPLAINED: readonly string[] = [
  'over: windows over a threshold, which the spread of the reference among itself gives; several features',
  'together are over a little below it. farthest D, threshold, p: of the window farthest beyond one. by: D, or',
  'the shift alone, and how many times its threshold it was. D of all: all of LIVE at once. naive p: the two-sample test for independent values, which the samples of a host are',
  'not: it finds drift everywhere, and decides nothing. shift: Wasserstein distance in robust standard',
  'deviations of the reference. See docs/DRIFT.md.',
];

const share = (x: number | null): string => (x === null || !Number.isFinite(x) ? '–' : x.toFixed(3));

const small = (p: number | null): string =>
  p === null ? '–' : p <= 1e-12 ? '≤1e-12' : p < 1e-3 ? p.toExponential(0) : brief(Number(p.toPrecision(2)));
