import { type Model, REFERENCE_QUANTILES } from '../../core/model.ts';
import type { Recording } from '../data/recording.ts';
import { DataError } from '../data/table.ts';

const LEAST_ROWS = 100;
/** From so many of a metric's values beyond all of training, they are likely in another unit. */
const BEYOND_SHARE = 0.9;

/** A model may know hundreds of hosts. */
const HOSTS_NAMED = 8;

/** A model that judges, and what messages call it. */
export interface NamedModel {
  readonly name: string;
  readonly model: Model;
}

export interface AlikeRows {
  readonly recordings: Recording[];
  readonly notes: string[];
  /** Why a comparison is not to be believed: who learned from these rows. null where nobody did. */
  readonly caveat: string | null;
}

/**
 * All recordings with the same columns, in the same order: those that any of the models knows; and what is to be known
 * of how the models fit them.
 * @throws DataError where a model can't judge a recording
 */
export function alikeRows(models: readonly NamedModel[], recordings: readonly Recording[]): AlikeRows {
  const notes: string[] = [];
  const learned = new Map<string, 'may have' | 'has'>();
  const wanted = [...new Set(models.flatMap(({ model }) => model.schema.map(({ name }) => name)))];
  const out = recordings.map((recording) => {
    const { host, names, timesMs, columns } = recording;
    if (timesMs.length < LEAST_ROWS) {
      throw new DataError(
        `${host}: ${timesMs.length} rows, at least ${LEAST_ROWS} are needed to judge a model.`,
      );
    }
    for (const judging of models) {
      notes.push(...metricNotes(judging, recording), ...hostNotes(judging, recording));
      const how = learnedFrom(judging.model, recording);
      if (how === null) continue;
      notes.push(
        how === 'has'
          ? `${host} overlaps the time that ${judging.name} learned from, of this host: its figures are too good`
          : `${host} overlaps the time that ${judging.name} learned from: its figures are too good where it is the same data`,
      );
      if (learned.get(judging.name) !== 'has') learned.set(judging.name, how);
    }
    const absent = new Float64Array(timesMs.length).fill(Number.NaN);
    return {
      ...recording,
      names: wanted,
      columns: wanted.map((name) => columns[names.indexOf(name)] ?? absent),
    };
  });
  const read = out.reduce((sum, { rowsRead }) => sum + rowsRead, 0);
  const used = out.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  if (used < read) notes.push(`of ${read} rows ${used} were judged, in whole stretches over all of the time`);
  return { recordings: out, notes: [...new Set(notes)], caveat: caveatOf(learned) };
}

/** @throws DataError where the recording has nothing that the model knows */
function metricNotes({ name: called, model }: NamedModel, recording: Recording): string[] {
  const { host, names, columns, intervalMs } = recording;
  const notes: string[] = [];
  const missing = model.schema.filter(({ name }) => !names.includes(name)).map(({ name }) => name);
  if (missing.length === model.schema.length) {
    throw new DataError(`${host} has none of the metrics of ${called} (${missing.join(', ')}).`);
  }
  if (missing.length > 0) {
    notes.push(`${host} lacks ${missing.join(', ')} of ${called}: judged as missing`);
  }
  model.schema.forEach(({ name }, metric) => {
    const column = columns[names.indexOf(name)];
    const share = column === undefined ? 0 : beyondShare(model, metric, column);
    if (share < BEYOND_SHARE) return;
    notes.push(
      `${host}: ${name}: ${Math.floor(share * 100)} % of its values lie beyond all that ${called} has seen: another unit?`,
    );
  });
  const learned = model.provenance.intervalMs;
  if (Math.abs(intervalMs - learned) > 0.1 * learned) {
    notes.push(
      `${host} was recorded every ${intervalMs} ms, ${called} learned from rows every ${learned} ms: its windows and thresholds are for other times`,
    );
  }
  return notes;
}

/** Share of the values outside the training range; 0 where the model has never seen any. */
function beyondShare(model: Model, metric: number, column: Float64Array): number {
  const low = model.reference.metrics[metric * REFERENCE_QUANTILES] as number;
  const high = model.reference.metrics[(metric + 1) * REFERENCE_QUANTILES - 1] as number;
  if (Number.isNaN(low) || Number.isNaN(high)) return 0;
  let present = 0;
  let beyond = 0;
  for (const x of column) {
    if (Number.isNaN(x)) continue;
    present++;
    if (x < low || x > high) beyond++;
  }
  return present === 0 ? 0 : beyond / present;
}

function hostNotes({ name, model }: NamedModel, { host }: Recording): string[] {
  if (model.hosts.length === 0 || knows(model, host)) return [];
  const hosts = model.hosts.slice(0, HOSTS_NAMED).map((one) => one.host);
  const more = model.hosts.length - hosts.length;
  const all = `${hosts.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return [`${host} is not among the hosts of ${name} (${all}): common thresholds`];
}

const knows = (model: Model, host: string): boolean => model.hosts.some((one) => one.host === host);

/** A model of one host does not say which: there time alone tells, and less surely. */
function learnedFrom(model: Model, { host, timesMs }: Recording): 'may have' | 'has' | null {
  const { trainedFromMs, trainedToMs } = model.provenance;
  if ((timesMs[0] as number) > trainedToMs || (timesMs.at(-1) as number) < trainedFromMs) return null;
  if (model.hosts.length === 0) return 'may have';
  return knows(model, host) ? 'has' : null;
}

function caveatOf(learned: ReadonlyMap<string, 'may have' | 'has'>): string | null {
  const of = (wanted: 'may have' | 'has'): string =>
    [...learned].flatMap(([name, how]) => (how === wanted ? [name] : [])).join(' and ');
  const [surely, perhaps] = [of('has'), of('may have')];
  const parts = [
    ...(surely === '' ? [] : [`${surely} learned from these rows`]),
    ...(perhaps === '' ? [] : [`${perhaps} may have learned from these rows`]),
  ];
  return parts.length === 0 ? null : parts.join(', ');
}
