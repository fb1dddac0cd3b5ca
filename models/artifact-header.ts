import { type Model, NOT_USED } from '../core/model.ts';
import type { ArrayKind } from './artifact-arrays.ts';
import { type DriftHeader, driftFault } from './artifact-drift.ts';

export interface ArrayEntry {
  readonly name: string;
  readonly kind: ArrayKind;
  readonly length: number;
}

export type Header = Pick<
  Model,
  'detector' | 'schema' | 'budget' | 'contamination' | 'thresholds' | 'hosts' | 'provenance'
> & {
  readonly levelSpan: number;
  readonly windows: { readonly short: number; readonly long: number };
  readonly forest: { readonly trees: number; readonly rowsPerTree: number };
  readonly surpriseParameters: Model['surprise']['parameters'];
  readonly drift: DriftHeader | null;
  readonly arrays: readonly ArrayEntry[];
};

/** Of a detector without memory. */
export const NO_WINDOWS = { short: 1, long: 1 } as const;

const MAX_METRICS = 1024;
/** The windows are rings in memory, one a metric: the file must not be able to ask for much. */
const MAX_SHORT_WINDOW = 4096;
const MAX_TIME_MS = 8.64e15;

const isRecord = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && !Array.isArray(x);
const isCount = (x: unknown, most: number): x is number =>
  Number.isInteger(x) && Number(x) > 0 && Number(x) <= most;
const allNumbers = (x: unknown, keys: readonly string[]): boolean =>
  isRecord(x) && keys.every((key) => Number.isFinite(x[key]));

const isWithin = (x: unknown, low: number, high: number): boolean =>
  Number.isFinite(x) && Number(x) >= low && Number(x) <= high;
const isShare = (x: unknown): boolean => isWithin(x, 0, 1);

/** Format version 1 knew one detector, one host, and no contamination; version 2 no drift. */
export function withDefaults(h: unknown): unknown {
  if (!isRecord(h)) return h;
  const thresholds = isRecord(h['thresholds']) ? { score: NOT_USED, ...h['thresholds'] } : h['thresholds'];
  return { contamination: null, hosts: [], drift: null, ...h, thresholds };
}

const MOST_HOSTS = 4096;
const SEVERITY_LEVELS = ['info', 'warning', 'critical'];

function thresholdsFault(thresholds: unknown, at: string): string | null {
  for (const trigger of ['surprise', 'forest', 'score']) {
    if (!isRecord(thresholds) || !allNumbers(thresholds[trigger], SEVERITY_LEVELS)) {
      return `${at}.${trigger}: info, warning and critical expected`;
    }
  }
  return null;
}

function hostsFault(hosts: unknown): string | null {
  if (!Array.isArray(hosts) || hosts.length > MOST_HOSTS)
    return `hosts: a list of at most ${MOST_HOSTS} expected`;
  for (const host of hosts) {
    if (!isRecord(host) || typeof host['host'] !== 'string' || !Number.isFinite(host['rows'])) {
      return 'hosts: host, rows and thresholds expected';
    }
    const fault = thresholdsFault(host['thresholds'], 'hosts.thresholds');
    if (fault !== null) return fault;
  }
  return null;
}

/** What is wrong with a header, or null. Checked by hand: an artifact may come from anywhere. */
export function headerFault(h: unknown): string | null {
  if (!isRecord(h)) return 'the header is not an object';
  if (h['detector'] !== 'metric-forests' && h['detector'] !== 'isolation-forest')
    return `unknown detector ${JSON.stringify(h['detector'])}`;
  const schema = h['schema'];
  if (!Array.isArray(schema) || !isCount(schema.length, MAX_METRICS))
    return 'schema: 1 to 1024 metrics expected';
  const names = new Set<unknown>();
  for (const metric of schema) {
    if (!isRecord(metric) || typeof metric['name'] !== 'string' || typeof metric['unit'] !== 'string') {
      return 'schema: a metric needs name and unit';
    }
    if (typeof metric['label'] !== 'string' || !allNumbers(metric, ['scale', 'noiseFloor'])) {
      return `schema: metric ${JSON.stringify(metric['name'])} needs label, scale and noiseFloor`;
    }
    if (names.has(metric['name'])) return `schema: metric ${JSON.stringify(metric['name'])} twice`;
    names.add(metric['name']);
  }
  if (!allNumbers(h['budget'], ['infoPerDay', 'warningPerDay', 'criticalPerDay']))
    return 'budget: three numbers expected';
  const contamination = h['contamination'];
  if (contamination !== null && !(isShare(contamination) && Number(contamination) > 0)) {
    return 'contamination: null, or a share above 0, expected';
  }
  const fault = thresholdsFault(h['thresholds'], 'thresholds') ?? hostsFault(h['hosts']);
  if (fault !== null) return fault;
  const windows = h['windows'];
  if (!isRecord(windows) || !isCount(windows['short'], MAX_SHORT_WINDOW) || !isCount(windows['long'], 1e6)) {
    return 'windows: short and long expected';
  }
  if (!isCount(h['levelSpan'], 1e6)) return 'levelSpan: a number of samples expected';
  const forest = h['forest'];
  if (
    !isRecord(forest) ||
    !isCount(forest['trees'], 1024) ||
    !isCount(forest['rowsPerTree'], 65_535) ||
    forest['rowsPerTree'] < 2
  ) {
    return 'forest: trees and rowsPerTree (at least 2) expected';
  }
  const surprise = h['surpriseParameters'];
  const spans = isRecord(surprise) ? surprise['spans'] : null;
  if (
    !Array.isArray(spans) ||
    !isCount(spans.length, 16) ||
    !spans.every((span) => isCount(span, 1e6)) ||
    !isRecord(surprise) ||
    !isCount(surprise['topCount'], MAX_METRICS) ||
    !isShare(surprise['quantile']) ||
    !isShare(surprise['smoothing']) ||
    !isShare(surprise['silenceRate']) ||
    !isWithin(surprise['silenceMax'], 0, 100)
  ) {
    return 'surpriseParameters: spans, topCount, quantile, smoothing, silenceRate and silenceMax expected';
  }
  const provenance = h['provenance'];
  if (
    !isRecord(provenance) ||
    typeof provenance['name'] !== 'string' ||
    typeof provenance['version'] !== 'string' ||
    !allNumbers(provenance, ['seed', 'rows']) ||
    !isWithin(provenance['trainedFromMs'], -MAX_TIME_MS, MAX_TIME_MS) ||
    !isWithin(provenance['trainedToMs'], -MAX_TIME_MS, MAX_TIME_MS) ||
    !isWithin(provenance['intervalMs'], 1, MAX_TIME_MS)
  ) {
    return 'provenance: name, version, seed, trainedFromMs, trainedToMs, rows and intervalMs expected';
  }
  if (!Array.isArray(h['arrays'])) return 'arrays: a list expected';
  return driftFault(h['drift']);
}
