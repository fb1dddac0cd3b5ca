import type { DriftReport } from '../agent/drift.ts';
import { printable } from '../agent/log.ts';
import type { StatusReport } from '../agent/status.ts';
import { formatDuration } from '../core/words.ts';

const SHOWN = 3;
const MONTH_MS = 30 * 86_400_000;

/** "steady, severity 1; farthest cpu D 0.08 of 0.31, memory 0.05 of 0.40; next decision in 4 h". */
export function driftLine(drift: DriftReport, nowMs: number): string {
  const provisional = drift.provisional ? ', provisional' : '';
  if (!drift.filled) return `first to fill a window of ${formatDuration(drift.windowMs)}${provisional}`;
  const since = drift.sinceMs === null ? '' : ` for ${formatDuration(Math.max(0, nowMs - drift.sinceMs))}`;
  const farthest = drift.streams
    .filter(({ d, threshold, unjudged }) => unjudged === null && d !== null && threshold !== null)
    .slice(0, SHOWN)
    .map(
      ({ name, d, threshold }) =>
        `${printable(name)} ${d?.toFixed(2) ?? '?'} of ${threshold?.toFixed(2) ?? '?'}`,
    );
  const next =
    drift.nextDecisionMs === null
      ? ''
      : `; next decision in ${formatDuration(Math.max(0, drift.nextDecisionMs - nowMs))}`;
  const lies = drift.streams.filter(({ unjudged }) => unjudged === 'stuck' || unjudged === 'missing');
  const sensors = lies.map(({ name, unjudged }) => `; ${printable(name)} ${unjudged}`).join('');
  return `${drift.phase}${since}, severity ${drift.severity} of 10${provisional}; D ${farthest.join(', ')}${sensors}${next}`;
}

/** "local, on drift; last: activated because of drift, 2 h ago". */
export function retrainingLine(
  { mode, onDrift, schedule, history }: StatusReport['retraining'],
  nowMs: number,
): string {
  const when = [onDrift ? 'on drift' : '', schedule === null ? '' : `at ${printable(schedule)}`].filter(
    Boolean,
  );
  const last = history.at(-1);
  const ago = last === undefined ? '' : formatDuration(Math.max(0, nowMs - last.atMs));
  const told = last === undefined ? '' : `; last: ${last.decision} (${last.reason}) ${ago} ago`;
  const monthly = history.filter(
    ({ atMs, decision }) => decision === 'activated' && nowMs - atMs <= MONTH_MS,
  ).length;
  const often = monthly === 0 ? '' : `; ${monthly} new models in 30 days`;
  return `${mode === 'off' ? 'off' : [mode, ...when].join(', ')}${told}${often}`;
}

/** "0.08 incidents an hour over a day; 80 % of 10 alerts were true in 7 days; scored in 0.4 ms, 95 % in 0.9 ms". */
export function performanceLine({
  performance,
  latencyMs,
}: Pick<StatusReport, 'performance' | 'latencyMs'>): string {
  const { incidentsPerHour, verdicts, precision } = performance;
  const parts = [`${incidentsPerHour.toFixed(2)} incidents an hour over a day`];
  if (precision !== null)
    parts.push(`${(100 * precision).toFixed(0)} % of ${verdicts} alerts true in 7 days`);
  const { p50, p95 } = latencyMs.score;
  if (p50 !== null && p95 !== null)
    parts.push(`scored in ${p50.toFixed(1)} ms, 95 % in ${p95.toFixed(1)} ms`);
  return parts.join('; ');
}

/** A table of the weeks, the newest first, as far back as operators said something; none where nobody has. */
export function weekLines(weeks: StatusReport['performance']['weeks']): string[] {
  const last = weeks.findLastIndex(({ judged, missed }) => judged + missed > 0);
  if (last < 0) return [];
  const head = ['week of', 'judged', 'true', 'false', 'benign', 'missed', 'precision', 'recall', '  F1'];
  const rows = weeks
    .slice(0, last + 1)
    .map((week) => [
      new Date(week.fromMs).toISOString().slice(0, 10),
      ...[week.judged, week.trueAlerts, week.falseAlerts, week.benignAlerts, week.missed].map(String),
      ...[week.precision, week.recall].map((share) =>
        share === null ? '–' : `${(100 * share).toFixed(0)} %`,
      ),
      week.f1 === null ? '–' : week.f1.toFixed(2),
    ]);
  const lines = [head, ...rows].map((cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart((head[i] as string).length)))
      .join('  '),
  );
  return [...lines, 'Recall is only as complete as what was told with `edgewood alerts missed`.'];
}
