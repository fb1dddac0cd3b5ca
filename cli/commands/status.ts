import type { DriftReport } from '../../agent/drift.ts';
import { printable } from '../../agent/log.ts';
import type { ActiveMaintenance } from '../../agent/maintenance.ts';
import type { StatusReport } from '../../agent/status.ts';
import { type Inventory, inventory } from '../../collector/inventory.ts';
import { formatDuration, formatValue } from '../../core/words.ts';
import { formatRate, paint } from '../alert-view.ts';
import { centralLine } from '../central-view.ts';
import { driftLine, performanceLine, retrainingLine, weekLines } from '../drift-view.ts';
import { Exit } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';

export interface StatusOptions {
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

/** The part of the agent's answer that is shown (agent.ts, status). */
export interface AgentStatus {
  readonly state: 'warming-up' | 'watching' | 'incident' | 'maintenance';
  readonly version: string;
  readonly host: {
    readonly id: string;
    readonly name: string;
    readonly site: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly identity: { readonly from: string; readonly suspect: boolean };
  readonly nowMs: number;
  readonly startedMs: number;
  readonly next: { readonly kind: 'first' | 'widening' | 'nightly' | 'none'; readonly dueMs: number | null };
  readonly fitting: boolean;
  readonly drift: DriftReport | null;
  readonly retraining: StatusReport['retraining'];
  readonly performance: StatusReport['performance'];
  readonly central: StatusReport['central'];
  readonly latencyMs: StatusReport['latencyMs'];
  readonly intervalMs: number;
  readonly source: {
    readonly kind: string;
    readonly description: string;
    readonly faults: Readonly<Record<string, number>>;
  };
  readonly metrics: readonly {
    readonly name: string;
    readonly label: string;
    readonly unit: string;
    readonly value: number | null;
  }[];
  readonly sampledAtMs: number | null;
  readonly score: number | null;
  readonly triggers: readonly {
    readonly name: string;
    readonly value: number;
    readonly thresholds: { readonly info: number };
  }[];
  readonly guard: number;
  readonly model: {
    readonly slot: string;
    readonly name: string;
    readonly version: string;
    readonly rows: number;
    readonly trainedFrom: string;
    readonly trainedTo: string;
    readonly provisional: boolean;
  } | null;
  readonly incident: {
    readonly id: string;
    readonly severity: 'info' | 'warning' | 'critical';
    readonly openedAtMs: number;
  } | null;
  readonly maintenance: readonly ActiveMaintenance[];
  readonly budget: {
    readonly infoPerDay: number;
    readonly warningPerDay: number;
    readonly criticalPerDay: number;
  };
  readonly counters: Readonly<Record<string, number>>;
  readonly store: {
    readonly epoch: string;
    readonly epochReason: string;
    readonly bytes: number;
    readonly samples: number;
  };
  readonly sinks: readonly {
    readonly name: string;
    readonly kind: string;
    readonly target: string;
    readonly connected: boolean;
    readonly lastError: string | null;
    readonly delivered: number;
    readonly poisoned: number;
    readonly outbox: { readonly pending: number; readonly dropped: number };
  }[];
}

export async function run(args: StatusOptions): Promise<number> {
  // The inventory is asked for here, not by the agent: it starts child processes and costs megabytes.
  const [status, host] = await Promise.all([
    askAgent<AgentStatus>(await socketPath(args), { method: 'status' }),
    inventory(),
  ]);
  const text = args.json
    ? JSON.stringify({ ...status, inventory: host })
    : statusPage(status, useColour(), inventoryLine(host));
  process.stdout.write(`${text}\n`);
  return Exit.done;
}

/** "Debian GNU/Linux 12, kernel 6.1, 2 cores, 24.7 GB, kvm". */
export function inventoryLine(host: Inventory): string {
  const memory = host.memoryBytes === undefined ? undefined : `${(host.memoryBytes / 1e9).toFixed(1)} GB`;
  return [
    host.os,
    host.kernel && `kernel ${host.kernel}`,
    host.cores && `${host.cores} cores`,
    memory,
    host.container ?? host.virtualisation,
  ]
    .filter(Boolean)
    .map((part) => printable(String(part)))
    .join(', ');
}

export const useColour = (): boolean => process.stdout.isTTY === true && !process.env['NO_COLOR'];

/** What the agent does now, and what comes next. */
export function stateSentence(status: AgentStatus): string {
  const due = status.next.dueMs;
  const left = due === null ? '' : formatDuration(Math.max(0, due - (status.sampledAtMs ?? status.nowMs)));
  if (status.fitting) return 'Fitting a model to this host now.';
  if (status.state === 'warming-up') {
    return due === null
      ? 'Warming up: waiting for the first sample.'
      : `Warming up: first model in ${left}, from this host's own history.`;
  }
  const next = {
    first: '',
    widening: `next fit, over more history, in ${left}`,
    nightly: 'fitted anew every night',
    none: 'no further fits',
  }[status.next.kind];
  const doing = {
    incident: 'An incident stands',
    maintenance: 'Watching without alerts',
    watching: 'Watching',
  }[status.state];
  return `${doing}; ${status.model?.slot === 'central' ? 'model from the centre' : next}.`;
}

export function maintenanceText({ kind, name, untilMs, training }: ActiveMaintenance, nowMs: number): string {
  const what = kind === 'snooze' ? `snoozed${name === '' ? '' : `: ${printable(name)}`}` : printable(name);
  const learning = training === 'exclude' ? 'not learned from' : 'learned from';
  return `${what}, for another ${formatDuration(Math.max(0, untilMs - nowMs))}, until ${new Date(untilMs).toISOString().slice(0, 16)}Z, ${learning}`;
}

export function statusPage(status: AgentStatus, colour: boolean, hostLine = ''): string {
  const lines: string[] = [];
  const row = (name: string, text: string): void => {
    lines.push(`  ${paint('2', name.padEnd(11), colour)}${text}`);
  };
  const mood = status.state === 'incident' ? '31' : status.state === 'watching' ? '32' : '33';
  lines.push(
    `${paint(mood, '●', colour)} ${paint('1', printable(status.host.name), colour)}  ${stateSentence(status)}`,
  );
  if (status.incident !== null) {
    row(
      'incident',
      `${printable(status.incident.id)}, ${status.incident.severity}, for ${formatDuration(status.nowMs - status.incident.openedAtMs)} (edgewood alerts show ${printable(status.incident.id).slice(0, 8)})`,
    );
  }
  if (status.identity.suspect) {
    row(
      'identity',
      paint('33', 'looks like a copy of another machine: edgewood identity renew, or identity keep', colour),
    );
  }
  for (const one of status.maintenance) row('no alerts', maintenanceText(one, status.nowMs));
  if (hostLine !== '') row('host', hostLine);
  row(
    'agent',
    `${status.version}, up ${formatDuration(status.nowMs - status.startedMs)}, a sample every ${status.intervalMs / 1000} s, ${status.counters['samples'] ?? 0} so far`,
  );
  row('source', `${status.source.kind}: ${printable(status.source.description)}`);
  const faults = Object.entries(status.source.faults);
  if (faults.length > 0) row('faults', faults.map(([name, n]) => `${name} ${n}`).join(', '));
  const model = status.model;
  row(
    'model',
    model === null
      ? 'none yet'
      : `${printable(model.name)}, ${model.rows} rows, ${model.trainedFrom.slice(0, 16)} to ${model.trainedTo.slice(0, 16)}${model.provisional ? ', thresholds provisional' : ''}`,
  );
  row(
    'budget',
    `${formatRate(status.budget.infoPerDay)} info, ${formatRate(status.budget.warningPerDay)} warning, ${formatRate(status.budget.criticalPerDay)} critical; guard x${Math.exp(status.guard).toFixed(2)}`,
  );
  if (status.score !== null) {
    const readings = status.triggers
      .slice(0, 2)
      .map((t) => `${t.name} ${t.value.toFixed(2)} of ${t.thresholds.info.toFixed(2)}`);
    row('score', `${status.score.toFixed(3)}; ${readings.join(', ')}`);
  }
  if (status.drift !== null) row('drift', driftLine(status.drift, status.sampledAtMs ?? status.nowMs));
  if (status.central !== null) row('centre', centralLine(status.central));
  row('alarms', performanceLine(status));
  for (const [i, line] of weekLines(status.performance.weeks).entries()) row(i === 0 ? 'by week' : '', line);
  row('retraining', retrainingLine(status.retraining, status.sampledAtMs ?? status.nowMs));
  row(
    'store',
    `${(status.store.bytes / 1e6).toFixed(1)} MB, ${status.store.samples} samples, epoch ${status.store.epoch} (${status.store.epochReason})`,
  );
  for (const sink of status.sinks) {
    const state = sink.connected ? paint('32', 'connected', colour) : paint('31', 'not connected', colour);
    row(
      'sink',
      `${printable(sink.name)} ${printable(sink.target)}: ${state}, ${sink.delivered} delivered, ${sink.outbox.pending} waiting${sink.outbox.dropped > 0 ? `, ${sink.outbox.dropped} dropped` : ''}${sink.poisoned > 0 ? `, ${sink.poisoned} refused` : ''}${sink.lastError !== null && !sink.connected ? ` (${printable(sink.lastError)})` : ''}`,
    );
  }
  lines.push('');
  for (const metric of status.metrics) {
    if (metric.value !== null)
      lines.push(
        `  ${printable(metric.name).padEnd(18)}${formatValue(metric.value, metric.unit).padStart(12)}`,
      );
  }
  return lines.join('\n');
}
