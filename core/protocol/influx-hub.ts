import type { FleetIncidentData, HostSilentData, HubAlert } from './hub-alerts.ts';
import { hostTags } from './influx.ts';
import { INSTALL_STATES } from './install-states.ts';
import { type Field, line, lineTags } from './line-protocol.ts';
import { OPERATOR_WORDS } from './verdict.ts';

/** What the hub writes to InfluxDB beside what agents themselves do (core/protocol/influx.ts): docs/PROTOCOL.md. */
const MEASUREMENTS = {
  reported: 'edgewood_reported',
  hubAlert: 'edgewood_hub_alert',
  verdict: 'edgewood_verdict',
  sample: 'edgewood_sample',
} as const;

const NANOSECONDS_PER_MS = 1_000_000;

const integer = (n: number | null | undefined): Field | null =>
  typeof n === 'number' ? { integer: n } : null;

/** One of the words that there are: whatever a host says, it makes no more series than these. */
const known = (words: readonly string[], word: string): string => (words.includes(word) ? word : '?');

/** What changes of a `reported` document, without figures that move with every sample: one point of its history. */
export interface ReportedPoint {
  /** Of the rollout that it accepted last. */
  readonly model: string | null;
  readonly rollout: number | null;
  /** The release that `state` is about. */
  readonly release: number | null;
  readonly state: string;
  readonly root: number | null;
  /** Name and version of what runs. */
  readonly running: string | null;
  /** Documents, chunks and commands turned away since the agent started. */
  readonly refused: number;
  readonly error: string | null;
}

/** @param host from `hostTags` @param n tells two points of one millisecond apart */
export function reportedLine(
  host: Readonly<Record<string, string>>,
  timeMs: number,
  n: number,
  { model, rollout, release, state, root, running, refused, error }: ReportedPoint,
): string {
  const tags = lineTags({ ...host, state: known(INSTALL_STATES, state), model: model ?? '' });
  const fields = {
    release: integer(release),
    rollout: integer(rollout),
    root: integer(root),
    refused: integer(refused),
    running,
    error,
  };
  return line(MEASUREMENTS.reported, tags, fields, timeMs, n % NANOSECONDS_PER_MS) as string;
}

/** What an operator said, and what was said of this host's incidents up to then. */
export interface VerdictPoint {
  readonly verdict: string;
  readonly incidentId: string | null;
  readonly note: string;
  /** Incidents by their last word. */
  readonly counts: Readonly<Record<string, number>>;
}

export function verdictLine(
  host: Readonly<Record<string, string>>,
  timeMs: number,
  n: number,
  { verdict, incidentId, note, counts }: VerdictPoint,
): string {
  const { true: trueAlerts = 0, false: falseAlerts = 0, benign: benignAlerts = 0 } = counts;
  const judged = trueAlerts + falseAlerts + benignAlerts;
  const fields = {
    incident_id: incidentId,
    note,
    judged: integer(judged),
    true_alerts: integer(trueAlerts),
    false_alerts: integer(falseAlerts),
    benign_alerts: integer(benignAlerts),
    precision: judged === 0 ? null : trueAlerts / judged,
  };
  const tags = lineTags({ ...host, verdict: known(OPERATOR_WORDS, verdict) });
  return line(MEASUREMENTS.verdict, tags, fields, timeMs, n % NANOSECONDS_PER_MS) as string;
}

/** A silent host's has the tags of that host; a fleet incident's names site and label. */
export function hubAlertLine({ type, site, severity, sequence, timeMs, subject, data }: HubAlert): string {
  const { host } = data as Partial<HostSilentData>;
  const { label, cause } = data as Partial<FleetIncidentData>;
  const about =
    host === undefined
      ? { site, ...(label && { label: `${label.name}=${label.value}` }), ...(cause && { cause: cause.kind }) }
      : hostTags({ site, hostId: host.id, hostName: host.name, labels: host.labels });
  const tags = lineTags({ ...about, type, severity, state: data.state });
  const { count, peak, groupSize, share, silentMs } = data as Partial<FleetIncidentData & HostSilentData>;
  const fields = {
    sequence_epoch: sequence.epoch,
    sequence: integer(sequence.n),
    subject,
    count: integer(count),
    peak: integer(peak),
    group_size: integer(groupSize),
    share: share ?? null,
    silent_ms: integer(silentMs),
    sentence: data.sentence,
  };
  return line(MEASUREMENTS.hubAlert, tags, fields, timeMs, sequence.n % NANOSECONDS_PER_MS) as string;
}

/** A sample that was fetched from its host, as that would write it: where both do, they are one point. */
export function fetchedSampleLine(
  host: Readonly<Record<string, string>>,
  timeMs: number,
  metrics: readonly string[],
  values: readonly (number | null)[],
): string | null {
  const fields = Object.fromEntries(metrics.map((name, i) => [name, values[i] ?? null]));
  return line(MEASUREMENTS.sample, lineTags(host), fields, timeMs);
}
