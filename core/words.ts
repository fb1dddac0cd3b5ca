import type { Explanation, FeatureReport, IncidentState, TriggerName } from './protocol/events.ts';

/** Plain words for people: values with their units, and the one sentence of an alert. */

function significant(x: number): string {
  const size = Math.abs(x);
  if (size >= 100 || Number.isInteger(x)) return String(Math.round(x));
  const text = size >= 10 ? x.toFixed(0) : size >= 1 ? trimZeros(x.toFixed(1)) : trimZeros(x.toFixed(2));
  return text === '-0' ? '0' : text;
}

const trimZeros = (text: string): string => text.replace(/\.?0+$/, '');

const BYTE_STEPS = ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s'] as const;

/** [number, unit] of a value; byte rates in powers of 1000 of `like`, so that a range has one unit. */
function parts(value: number, unit: string, like: number): [string, string] {
  if (unit === 'percent') return [significant(value), ' %'];
  if (unit === 'perSecond') return [significant(value), '/s'];
  if (unit !== 'bytesPerSecond') return [significant(value), ''];
  let step = 0;
  let scale = 1;
  while (Math.abs(like) / scale >= 1000 && step < BYTE_STEPS.length - 1) {
    scale *= 1000;
    step++;
  }
  return [significant(value / scale), ` ${BYTE_STEPS[step]}`];
}

export function formatValue(value: number | null, unit: string): string {
  if (value === null) return 'missing';
  return parts(value, unit, value).join('');
}

/** "8-31 %". */
export function formatRange(low: number | null, high: number | null, unit: string): string {
  if (low === null || high === null) return 'unknown';
  const [a] = parts(low, unit, high);
  const [b, suffix] = parts(high, unit, high);
  return a === b ? `${b}${suffix}` : `${a}-${b}${suffix}`;
}

export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

export interface Finding {
  readonly state: IncidentState;
  readonly trigger: TriggerName;
  readonly features: readonly FeatureReport[];
  readonly labels: ReadonlyMap<string, string>;
  readonly top: Explanation['top'];
  readonly durationMs: number;
}

export function explainInWords(finding: Finding): string {
  const { state, trigger, top } = finding;
  if (state === 'resolved') {
    if (trigger === 'constant' || trigger === 'range')
      return 'It moved no further; this level is known from now on.';
    return finding.durationMs === 0
      ? 'Back to normal after a single sample.'
      : `Back to normal after ${formatDuration(finding.durationMs)}.`;
  }
  if (state === 'invalidated')
    return 'Ended unwatched: the agent was away, so when it really ended is not known.';
  const named = top.slice(0, 2).map(({ feature, share }) => ({
    share: Math.round(share * 100),
    text: describe(feature, finding),
    label: finding.labels.get(feature) ?? feature,
    report: finding.features.find((f) => f.name === feature),
  }));
  const first = named[0];
  if (first === undefined) return 'Unusual as a whole; no single metric stands out.';
  if (trigger === 'stuck')
    return `${first.label} stands still at ${formatValue(first.report?.value ?? null, first.report?.unit ?? '')}: the sensor may be stuck.`;
  if (trigger === 'constant') return `${first.text}: it never moved in training.`;
  if (trigger === 'range')
    return `${first.text}: over the last quarter of an hour further off than ever in training.`;
  const how = trigger === 'surprise' ? 'A sudden change' : 'An unusual state';
  const second = named[1];
  const rest = second !== undefined && second.share >= 10 ? `, ${second.text} ${second.share} %` : '';
  return `${how}: ${first.text} explains ${first.share} % of this${rest}.`;
}

function describe(name: string, finding: Finding): string {
  const label = finding.labels.get(name) ?? name;
  const report = finding.features.find((feature) => feature.name === name);
  if (report === undefined) return label;
  const usual = formatRange(report.expectedLow, report.expectedHigh, report.unit);
  return `${label} ${formatValue(report.value, report.unit)} (usually ${usual})`;
}
