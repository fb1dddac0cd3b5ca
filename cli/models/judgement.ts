import { type Model, NEVER } from '../../core/model.ts';
import type { ModelRecord } from '../../models/record.ts';
import type { OpenedModel } from '../model-reference.ts';
import { brief } from '../table.ts';
import { type Block, list, paragraph, table } from './document.ts';

const DAY_MS = 86_400_000;

/** The data had labels, but none of an anomaly where precision and recall are measured. */
export const lacksAnomalies = ({ metrics: { test }, rows }: ModelRecord): boolean =>
  test?.precision === null && (test.falseAlarmsPerDay !== null || (rows?.leftOut ?? 0) > 0);

/** What the test could not tell. */
function unknownOf(record: ModelRecord): string[] {
  const { test } = record.metrics;
  if (test === null || test.precision !== null) return [];
  if (!lacksAnomalies(record)) {
    return ['There were no labels: false alarms and missed incidents are not known.'];
  }
  const known = test.falseAlarmsPerDay;
  const falseAlarms =
    known === null
      ? 'false alarms and missed incidents are not known'
      : `missed incidents are not known; false alarms: ${brief(known)} a day`;
  return [`There was no labelled anomaly in the compare and test rows: ${falseAlarms}.`];
}

/** What the model can't do, from what is known of it. */
export function limits({ model, record }: OpenedModel): string[] {
  const { provenance, thresholds } = model;
  const days = (provenance.trainedToMs - provenance.trainedFromMs) / DAY_MS;
  const said = [...(record?.notes ?? [])];
  if (record?.origin !== 'imported') {
    if (days < 7) {
      said.push(`It has seen ${brief(days)} days: what comes once a week is new to it, and may alarm.`);
    }
    if (Object.values(thresholds).some((trigger) => trigger.provisional)) {
      said.push('Thresholds are extrapolated: its history is short against the rarity that it is to tell.');
    }
  }
  if (record !== null && record.metrics.test === null) {
    said.push('Nobody has measured how well it detects.');
  } else if (record !== null) {
    said.push(...unknownOf(record));
  }
  said.push('What was usual then may not be now: it never learns by itself. edgewood evaluate tells drift.');
  said.push(
    model.detector === 'metric-forests'
      ? 'Strange combinations of metrics that are each as usual are not seen: it looks at metrics one by one.'
      : 'It looks at each sample alone: slow drift, and a strange order of usual samples, are not seen.',
  );
  return said;
}

/** Do hosts get the same from it? What is known, and what is not. */
export function fairness({ model, record }: OpenedModel): Block[] {
  if (model.hosts.length === 0) {
    return [
      paragraph(
        record?.origin === 'imported'
          ? 'Which hosts it learned from is not known, nor how it does on any of them.'
          : 'It learned from one host, and has one set of thresholds. How it does on other hosts is not known: there, alarms may come more often, or not at all.',
      ),
    ];
  }
  const reports = new Map((record?.hosts ?? []).map((report) => [report.host, report]));
  const info = ({ surprise, score }: Model['thresholds']): number =>
    score.info < NEVER ? score.info : surprise.info;
  const rows = model.hosts.map(({ host, rows: own, thresholds }) => {
    const report = reports.get(host);
    return [
      host,
      String(own),
      brief(info(thresholds) < NEVER ? info(thresholds) : null),
      report === undefined ? '–' : brief(report.thresholdRatio),
      report === undefined ? '–' : `${brief(100 * report.outside.share)} % of ${report.outside.metric}`,
      report?.unlike === true ? 'unlike the others' : '',
    ];
  });
  const unlike = rows.filter((row) => row.at(-1) !== '').map(([host]) => host);
  return [
    table(['host', 'rows', 'info threshold', 'to the common one', 'outside the others', ''], rows),
    list([
      'Each of these hosts has thresholds of its own, from its own rows, for the same alert budget: a restless host is not alarmed more than a quiet one, but a fault has to be larger there to be seen.',
      ...(unlike.length === 0
        ? []
        : [`Hosts that are unlike the others are served worse: ${unlike.join(', ')}. Train them apart.`]),
      'Not known: precision, recall and false alarms host by host. They were measured over all hosts together; evaluate the model on the file of each host to know.',
      'A host that is not among these gets the common thresholds.',
    ]),
  ];
}

/** What host metrics reveal of people. */
export function ethics(features: readonly string[]): string[] {
  const tells = features.filter((name) => /^(cpu|load|memory|network|disk|pressure)/.test(name));
  return [
    `Load over time shows when people work${tells.length === 0 ? '' : ` (here: ${tells.join(', ')})`}: on a workstation, or a server that few use, it tells one person's hours. Do not use it to judge people.`,
    'Alerts carry names of processes, of hosts and labels, which may name a person or what he does. Whoever subscribes to alerts sees them.',
    'The file holds thresholds and quantiles of the hosts it learned from, and the names of hosts: give it away as you would give those.',
    'An alert is a reason to look, not a finding. Nothing should be switched off, and nobody blamed, by it alone.',
  ];
}
