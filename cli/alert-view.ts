import { printable } from '../agent/log.ts';
import type { JudgedAlert } from '../agent/operators.ts';
import { NEVER } from '../core/model.ts';
import type { AlertData, ProcessUse } from '../core/protocol/events.ts';
import { formatDuration, formatRange, formatValue } from '../core/words.ts';

/** Alerts for people. What came from a host is data: control characters are shown, not obeyed. */

const PROCESS_WIDTH = 24;
const COLOUR = { info: '36', warning: '33', critical: '31' } as const;

export function paint(code: string, text: string, colour: boolean): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** An event has no verdict: nobody has seen it before. */
type ShownAlert = AlertData & Partial<Pick<JudgedAlert, 'verdict'>>;

/** One line: time, severity, state, host, sentence, and what was said of it. */
export function alertLine(alert: ShownAlert, colour: boolean): string {
  const at = new Date(alert.sampledAt).toISOString().replace('T', ' ').slice(0, 19);
  const severity = paint(COLOUR[alert.severity] ?? '0', alert.severity.padEnd(8), colour);
  return `${at}  ${severity} ${alert.state.padEnd(11)} ${printable(alert.incidentId).slice(0, 8)}  ${printable(alert.host.name)}: ${printable(alert.explanation.sentence)}${alert.provisional ? ' (provisional)' : ''}${alert.verdict ? `; verdict ${verdictText(alert.verdict)}` : ''}`;
}

/** "false, 2026-01-05 10:00Z: backup". */
function verdictText({ verdict, at, note }: NonNullable<JudgedAlert['verdict']>): string {
  return `${printable(verdict)}, ${minuteText(at)}${note === '' ? '' : `: ${printable(note)}`}`;
}

/** "2026-01-05 10:00Z". */
export const minuteText = (time: string | number): string =>
  `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')}Z`;

/** The whole alert: what, how rare, what was usual, by which model. */
export function alertPage(alert: ShownAlert, colour: boolean): string {
  const lines: string[] = [];
  lines.push(paint('1', printable(alert.explanation.sentence), colour));
  lines.push('');
  const row = (name: string, text: string): void => {
    lines.push(`  ${name.padEnd(12)}${text}`);
  };
  row('incident', printable(alert.incidentId));
  row('host', `${printable(alert.host.name)} (${printable(alert.host.id)})${labelText(alert.host.labels)}`);
  row(
    'state',
    `${alert.state}, opened ${alert.openedAt}${alert.resolvedAt === null ? '' : `, resolved ${alert.resolvedAt}`}, ${formatDuration(alert.durationMs)}, ${alert.sampleCount} samples over the threshold`,
  );
  row(
    'severity',
    `${alert.severity}: ${rarity(alert)}${alert.provisional ? ' (provisional: the history is still short)' : ''}`,
  );
  row(
    'trigger',
    `${alert.trigger}: ${alert.triggerValue.toFixed(2)}, threshold ${alert.threshold.toFixed(2)} (warning ${level(alert.thresholds.warning)}, critical ${level(alert.thresholds.critical)})`,
  );
  if (alert.score !== null)
    row(
      'score',
      `${alert.score.toFixed(3)}, higher than ${(alert.percentile ?? 0).toFixed(1)} % of the training time`,
    );
  row(
    'model',
    `${printable(alert.model.name)} ${printable(alert.model.version)}, trained ${alert.model.trainedFrom} to ${alert.model.trainedTo}`,
  );
  if (alert.verdict) row('verdict', verdictText(alert.verdict));
  lines.push('');
  const shares = new Map(alert.explanation.top.map((entry) => [entry.feature, entry.share]));
  const features = [...alert.features].sort((a, b) => (shares.get(b.name) ?? 0) - (shares.get(a.name) ?? 0));
  lines.push(`  ${'metric'.padEnd(18)}${'now'.padStart(12)}   ${'usually'.padEnd(18)}${'share'.padStart(6)}`);
  for (const feature of features) {
    const share = shares.get(feature.name);
    const mark = feature.direction === 'high' ? '↑' : feature.direction === 'low' ? '↓' : ' ';
    lines.push(
      `  ${printable(feature.name).padEnd(18)}${formatValue(feature.value, feature.unit).padStart(12)} ${mark} ${formatRange(feature.expectedLow, feature.expectedHigh, feature.unit).padEnd(18)}${share === undefined ? '' : `${Math.round(share * 100)} %`.padStart(6)}`,
    );
  }
  if (alert.processes !== null) lines.push('', ...processLines(alert.processes));
  return lines.join('\n');
}

/** Two lists side by side: what used the CPU, and what held the memory, when it opened. */
function processLines({ byCpu, byMemory }: NonNullable<AlertData['processes']>): string[] {
  const cell = (use: ProcessUse | undefined, amount: (use: ProcessUse) => string): string =>
    use === undefined
      ? ''
      : `${amount(use).padStart(10)}  ${printable(use.name).slice(0, PROCESS_WIDTH)} (${use.pid})`;
  const lines = [`  ${'heaviest by CPU then'.padEnd(PROCESS_WIDTH + 22)}and by memory`];
  for (let i = 0; i < Math.max(byCpu.length, byMemory.length); i++) {
    const left = cell(byCpu[i], ({ cpuPercent }) => formatValue(cpuPercent, 'percent'));
    const right = cell(byMemory[i], ({ memoryBytes }) => `${(memoryBytes / 1e6).toFixed(0)} MB`);
    lines.push(`  ${left.padEnd(PROCESS_WIDTH + 22)}${right}`.trimEnd());
  }
  return lines;
}

const labelText = (labels: Readonly<Record<string, string>>): string => {
  const entries = Object.entries(labels);
  return entries.length === 0
    ? ''
    : ` ${entries.map(([k, v]) => `${printable(k)}=${printable(v)}`).join(',')}`;
};

function rarity(alert: AlertData): string {
  const perDay = {
    info: alert.budget.infoPerDay,
    warning: alert.budget.warningPerDay,
    critical: alert.budget.criticalPerDay,
  }[alert.severity];
  return `at most about ${formatRate(perDay)}`;
}

export function formatRate(perDay: number): string {
  if (perDay >= 48) return `${Math.round(perDay / 24)} an hour`;
  if (perDay >= 0.9) return `${trim(perDay)} a day`;
  if (perDay * 7 >= 0.9) return `${trim(perDay * 7)} a week`;
  return `${trim(perDay * 30.4375)} a month`;
}

/** The history may not bear a rarity yet. */
const level = (threshold: number): string => (threshold >= NEVER ? 'not yet' : threshold.toFixed(2));

const trim = (x: number): string => x.toFixed(1).replace(/\.0$/, '');
