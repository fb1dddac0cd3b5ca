import type { InstallFigures, ReportedDocument } from '../../core/protocol/reported.ts';
import type { RolloutLimits } from './plan.ts';
import { type Interval, poissonInterval, rateRatioP, wilson } from './statistics.ts';

/** What a release made of rows that other models watched: the sum over hosts. */
export interface ShadowFigures {
  readonly hosts: number;
  readonly rows: number;
  readonly flagged: Compared;
  readonly alarms: Compared;
  /** What the alert budgets of these hosts allow for these rows. */
  readonly allowedAlarms: number;
  readonly disagreements: { readonly count: number; readonly share: Interval };
  readonly verdict: 'holds' | 'fails' | 'undecided';
  readonly reasons: readonly string[];
}

/** Counts, with 95 % intervals: shares of rows by Wilson, expected alarms by Garwood. */
interface Compared {
  readonly candidate: number;
  readonly current: number;
  readonly candidateInterval: Interval;
  readonly currentInterval: Interval;
}

type Side = 'candidate' | 'current';

/**
 * The gate from shadow to apply. It holds where the whole interval lies within each limit, fails where the whole
 * interval lies outside of one, and is undecided in between: then more rows are needed. Rows of one host hang together,
 * so the intervals are narrower than the truth: no decision on fewer than `leastRows`.
 */
export function shadowGate(limits: RolloutLimits, reports: readonly ReportedDocument[]): ShadowFigures {
  const tried = reports.flatMap(({ figures }) =>
    figures === null || figures.current === null ? [] : [figures],
  );
  const sum = (of: (figures: InstallFigures) => number): number =>
    tried.reduce((all, one) => all + of(one), 0);
  const rows = sum((one) => one.rows);
  const total = (side: Side, what: 'flagged' | 'alarms'): number => sum((one) => one[side]?.[what] ?? 0);
  const compared = (what: 'flagged' | 'alarms', interval: (count: number) => Interval): Compared => {
    const [candidate, current] = [total('candidate', what), total('current', what)];
    return {
      candidate,
      current,
      candidateInterval: interval(candidate),
      currentInterval: interval(current),
    };
  };
  const share = (count: number): Interval => wilson(Math.min(count, rows), rows);
  const flagged = compared('flagged', share);
  const alarms = compared('alarms', poissonInterval);
  const disagreements = sum((one) => one.disagreements);
  const allowedAlarms = sum((one) => one.allowedAlarms);
  const checks = [
    within('disagreement', share(disagreements), limits.disagreementShare),
    within('flagged', flagged.candidateInterval, limits.flagShare),
    alarmCheck(limits, alarms, allowedAlarms),
  ];
  const enough = rows >= limits.leastRows;
  const failing = checks.filter(({ verdict }) => verdict === 'fails');
  const open = checks.filter(({ verdict }) => verdict === 'undecided');
  const verdict = !enough
    ? 'undecided'
    : failing.length > 0
      ? 'fails'
      : open.length > 0
        ? 'undecided'
        : 'holds';
  const reasons = enough
    ? [...failing, ...open].map(({ words }) => words)
    : [`${rows} rows in shadow, no decision on fewer than ${limits.leastRows}`];
  return {
    hosts: tried.length,
    rows,
    flagged,
    alarms,
    allowedAlarms,
    disagreements: { count: disagreements, share: share(disagreements) },
    verdict,
    reasons,
  };
}

interface Check {
  readonly verdict: ShadowFigures['verdict'];
  readonly words: string;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

function within(name: string, { low, high }: Interval, limit: number): Check {
  const verdict = high <= limit ? 'holds' : low > limit ? 'fails' : 'undecided';
  return {
    verdict,
    words: `${name} in shadow ${percent(low)} to ${percent(high)} of rows, limit ${percent(limit)}`,
  };
}

/** Alarms are few: within the budget is enough; beyond it, the other model on the same rows decides. */
function alarmCheck({ alarmRatio, alarmP }: RolloutLimits, alarms: Compared, allowed: number): Check {
  const { candidate, current } = alarms;
  const p = rateRatioP({ count: candidate, time: 1 }, { count: current, time: 1 }, alarmRatio);
  const verdict = candidate <= allowed ? 'holds' : p < alarmP ? 'fails' : 'undecided';
  return {
    verdict,
    words: `${candidate} alarms in shadow, the budget allows ${allowed}; the model before ${current} (over ${alarmRatio} times as often: p ${p.toExponential(1)})`,
  };
}
