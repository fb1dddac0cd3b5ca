/** What is measured, and one measurement. A missing value is NaN in memory and null on the wire; never 0. */

export type Unit = 'percent' | 'bytesPerSecond' | 'perSecond' | 'ratio' | 'value';

export interface Metric {
  /** Lower snake case, e.g. `network_rx`. Unique in a schema. */
  readonly name: string;
  readonly unit: Unit;
  /** The size of a full swing: 100 for a percentage; floors for spreads are fractions of it. 0: taken from the data. */
  readonly scale: number;
  /** A spread below this is of no interest to anybody, in the metric's unit; 0: none known. */
  readonly noiseFloor: number;
  /** What a person reads: "CPU", "network received". */
  readonly label: string;
}

/** The order of metrics is part of the schema: values are positional. */
export type MetricSchema = readonly Metric[];

export interface Sample {
  /** Unix milliseconds, wall clock, when the reading was finished. */
  readonly timeMs: number;
  /** One value a metric, in schema order; NaN where missing. */
  readonly values: Float64Array;
}

const metric = (name: string, unit: Unit, scale: number, noiseFloor: number, label: string): Metric => ({
  name,
  unit,
  scale,
  noiseFloor,
  label,
});

/** The default features of a host, in order. A source leaves NaN what its host does not have. */
export const HOST_METRICS: MetricSchema = [
  metric('cpu', 'percent', 100, 1, 'CPU'),
  metric('cpu_iowait', 'percent', 100, 1, 'CPU waiting for disks'),
  metric('cpu_steal', 'percent', 100, 1, 'CPU taken by the hypervisor'),
  metric('load', 'ratio', 1, 0.05, 'load per core'),
  metric('memory', 'percent', 100, 0.5, 'memory'),
  metric('swap', 'percent', 100, 0.5, 'swap'),
  metric('network', 'bytesPerSecond', 0, 20_000, 'network traffic'),
  metric('network_rx', 'bytesPerSecond', 0, 20_000, 'network received'),
  metric('network_tx', 'bytesPerSecond', 0, 20_000, 'network sent'),
  metric('network_errors', 'perSecond', 1, 0.2, 'network errors and drops'),
  metric('pressure_cpu', 'percent', 100, 1, 'CPU pressure'),
  metric('pressure_memory', 'percent', 100, 0.5, 'memory pressure'),
  metric('pressure_io', 'percent', 100, 1, 'I/O pressure'),
  metric('disk_busy', 'percent', 100, 1, 'busiest disk'),
  metric('disk_read', 'bytesPerSecond', 0, 200_000, 'disk reads'),
  metric('disk_write', 'bytesPerSecond', 0, 200_000, 'disk writes'),
  metric('filesystem', 'percent', 100, 0.2, 'fullest file system'),
];
