import { type Figures, STAGES } from './figures.ts';
import type { StatusReport } from './status.ts';

/**
 * The agent's figures for Prometheus: OpenMetrics 1.0, or the older text format 0.0.4 for who does not ask for it. They
 * differ in how a counter's family is named and in the end mark. Base units: seconds and bytes.
 */

type Labels = Readonly<Record<string, string>>;
type Kind = 'counter' | 'gauge' | 'summary' | 'info';

export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
export const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

class Exposition {
  readonly #open: boolean;
  readonly #lines: string[] = [];

  constructor(open: boolean) {
    this.#open = open;
  }

  family(
    name: string,
    kind: Kind,
    help: string,
    samples: readonly (readonly [Labels, number | null, string?])[],
  ): void {
    const known = samples.filter(([, value]) => value !== null);
    if (known.length === 0) return;
    const suffix = kind === 'counter' ? '_total' : kind === 'info' ? '_info' : '';
    // The older format knows no info, and calls a family by the full name of its samples.
    const family = this.#open ? name : name + suffix;
    const type = kind === 'info' && !this.#open ? 'gauge' : kind;
    this.#lines.push(`# TYPE ${family} ${type}`);
    const unit = /_(seconds|bytes)$/.exec(name)?.[1];
    if (this.#open && unit !== undefined) this.#lines.push(`# UNIT ${family} ${unit}`);
    this.#lines.push(`# HELP ${family} ${help}`);
    for (const [labels, value, part = suffix] of known) {
      this.#lines.push(`${name}${part}${labelText(labels)} ${value}`);
    }
  }

  text(): string {
    return `${this.#lines.join('\n')}\n${this.#open ? '# EOF\n' : ''}`;
  }
}

const labelText = (labels: Labels): string => {
  const entries = Object.entries(labels);
  if (entries.length === 0) return '';
  const value = (text: string): string =>
    text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${entries.map(([name, text]) => `${name}="${value(text)}"`).join(',')}}`;
};

const STATES = ['warming-up', 'watching', 'incident', 'maintenance'];

/** What the process says of itself, by Prometheus's own conventions for it. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly proportionalBytes: number | null;
  readonly openDescriptors: number | null;
  readonly startSeconds: number;
}

export function exposition(
  status: StatusReport,
  figures: Figures,
  process: ProcessFigures,
  open: boolean,
): string {
  const it = new Exposition(open);
  const one = (value: number | null): [Labels, number | null][] => [[{}, value]];
  it.family('edgewood_build', 'info', 'Version of the agent.', [[{ version: status.version }, 1]]);
  it.family('edgewood_samples', 'counter', 'Samples taken.', one(status.counters['samples'] ?? 0));
  it.family(
    'edgewood_samples_judged',
    'counter',
    'Samples that were scored.',
    one(status.counters['judged'] ?? 0),
  );
  it.family(
    'edgewood_samples_not_stored',
    'counter',
    'Samples that a full disk has cost.',
    one(status.counters['notStored'] ?? 0),
  );
  it.family(
    'edgewood_sample_gaps',
    'counter',
    'Interruptions of the sampling.',
    one(status.counters['gaps'] ?? 0),
  );
  it.family(
    'edgewood_events_lost',
    'counter',
    'Events that a full disk has cost.',
    one(status.counters['lostEvents'] ?? 0),
  );
  it.family(
    'edgewood_source_faults',
    'counter',
    'Faults of the source of samples, repaired or counted.',
    Object.entries(status.source.faults).map(([fault, n]) => [{ fault }, n]),
  );
  it.family(
    'edgewood_state',
    'gauge',
    'What the agent is doing: 1 for the state it is in.',
    STATES.map((state) => [{ state }, state === status.state ? 1 : 0]),
  );
  it.family(
    'edgewood_incidents',
    'counter',
    'Incidents that opened.',
    one(status.counters['incidents'] ?? 0),
  );
  it.family(
    'edgewood_incident_standing',
    'gauge',
    '1 while an incident stands.',
    one(status.incident === null ? 0 : 1),
  );
  it.family(
    'edgewood_maintenance',
    'gauge',
    '1 while no alert is raised.',
    one(status.maintenance.length > 0 ? 1 : 0),
  );
  it.family('edgewood_score', 'gauge', 'Anomaly score of the last sample, from 0 to 1.', one(status.score));
  it.family(
    'edgewood_trigger_ratio',
    'gauge',
    'A trigger against its threshold: above 1 it alarms.',
    status.triggers.map(({ name, value, thresholds }) => [
      { trigger: name },
      finite(value / thresholds.info),
    ]),
  );
  it.family(
    'edgewood_guard_ratio',
    'gauge',
    'By how much the guard has raised the thresholds.',
    one(Math.exp(status.guard)),
  );
  it.family(
    'edgewood_stage_seconds',
    'summary',
    'How long a stage takes, over the last minutes.',
    STAGES.filter((stage) => stage !== 'loopLag').flatMap((stage) =>
      summary({ stage }, figures.stages[stage]),
    ),
  );
  it.family(
    'edgewood_loop_lag_seconds',
    'summary',
    'How late the loop came to a sample.',
    summary({}, figures.stages.loopLag),
  );
  const sinks = status.sinks.map((sink) => [{ sink: sink.name }, sink] as const);
  it.family(
    'edgewood_sink_connected',
    'gauge',
    '1 while the sink is connected.',
    sinks.map(([labels, sink]) => [labels, sink.connected ? 1 : 0]),
  );
  it.family(
    'edgewood_sink_connects',
    'counter',
    'Connections made, the first one included.',
    sinks.map(([labels, sink]) => [labels, sink.connects]),
  );
  it.family(
    'edgewood_sink_delivered',
    'counter',
    'Events that the sink has taken.',
    sinks.map(([labels, sink]) => [labels, sink.delivered]),
  );
  it.family(
    'edgewood_sink_refused',
    'counter',
    'Events that the sink will never take.',
    sinks.map(([labels, sink]) => [labels, sink.poisoned]),
  );
  it.family(
    'edgewood_sink_dropped',
    'counter',
    'Events dropped for want of room in the outbox.',
    sinks.map(([labels, sink]) => [labels, sink.outbox.dropped]),
  );
  it.family(
    'edgewood_sink_queue',
    'gauge',
    'Events that wait for the sink.',
    sinks.map(([labels, sink]) => [labels, sink.outbox.pending]),
  );
  it.family('edgewood_database_bytes', 'gauge', 'Size of the database.', one(status.store.bytes));
  it.family('edgewood_stored_samples', 'gauge', 'Samples in the database.', one(status.store.samples));
  const { model } = status;
  it.family(
    'edgewood_model',
    'info',
    'The model that watches.',
    model === null ? [] : [[{ name: model.name, version: model.version, slot: model.slot }, 1]],
  );
  it.family(
    'edgewood_model_trained_timestamp_seconds',
    'gauge',
    'Up to when the model was trained, since 1970.',
    one(model === null ? null : Date.parse(model.trainedTo) / 1000),
  );
  const { drift } = status;
  it.family('edgewood_drift_severity', 'gauge', 'Drift, 1 (none) to 10.', one(drift?.severity ?? null));
  it.family(
    'edgewood_drift_distance',
    'gauge',
    'Kolmogorov-Smirnov distance of the last window from the training.',
    (drift?.streams ?? []).map(({ name, d }) => [{ metric: name }, d]),
  );
  it.family(
    'edgewood_drift_threshold',
    'gauge',
    'Distance from which on it counts.',
    (drift?.streams ?? []).map(({ name, threshold }) => [{ metric: name }, threshold]),
  );
  it.family('process_cpu_seconds', 'counter', 'User and system time.', one(process.cpuSeconds));
  it.family('process_resident_memory_bytes', 'gauge', 'Resident set size.', one(process.residentBytes));
  it.family(
    'edgewood_proportional_memory_bytes',
    'gauge',
    'Proportional set size.',
    one(process.proportionalBytes),
  );
  it.family('process_open_fds', 'gauge', 'Open file descriptors.', one(process.openDescriptors));
  it.family(
    'process_start_time_seconds',
    'gauge',
    'Start of the process, since 1970.',
    one(process.startSeconds),
  );
  return it.text();
}

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

function summary(labels: Labels, latency: Figures['stages']['sample']): [Labels, number | null, string?][] {
  const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
  return [
    ...([0.5, 0.95, 0.99] as const).map((q): [Labels, number | null] => [
      { ...labels, quantile: String(q) },
      seconds(latency.quantile(q)),
    ]),
    [labels, latency.sumMs / 1000, '_sum'],
    [labels, latency.count, '_count'],
  ];
}
