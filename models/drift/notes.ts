import { LEAST_SAMPLES, LEAST_SPAN_MS } from '../../core/drift/calibration.ts';
import type { DriftDecision } from '../../core/drift/monitor.ts';
import { isProvisional, SETTLED_SPAN_MS } from '../../core/drift/reference.ts';
import { formatDuration } from '../../core/words.ts';
import type { Recording } from '../data/recording.ts';
import type { DriftSource } from './source.ts';

/** What whoever reads a comparison has to know of how it came about. */

const spanMs = ({ timesMs, intervalMs }: Recording): number => timesMs.length * intervalMs;

/** Why no window could be judged. */
export function whyUndecided({ reference, model, rows, intervalMs }: DriftSource, live: Recording): string {
  if (reference === null) {
    const length = rows * intervalMs;
    if (length < LEAST_SPAN_MS) {
      return `the reference is ${formatDuration(length)} long: how far its own windows lie apart is known from ${formatDuration(LEAST_SPAN_MS)} on`;
    }
    return model === null
      ? `the reference has a row every ${formatDuration(intervalMs)}: a window needs ${LEAST_SAMPLES}, and the reference five windows`
      : 'the model keeps no reference for drift: it is from before there was one, was imported, or its history was too short or too sparse. Train it anew, or give the recording it was trained on as REFERENCE';
  }
  if (LEAST_SAMPLES * live.intervalMs > reference.windowMs) {
    return `LIVE has a row every ${formatDuration(live.intervalMs)}: a window of ${formatDuration(reference.windowMs)} needs ${LEAST_SAMPLES}`;
  }
  const shorter =
    model === null ? '' : '; against a recording as REFERENCE, windows are as short as LIVE asks for';
  return `no whole window of ${formatDuration(reference.windowMs)} lies in LIVE, which is ${formatDuration(spanMs(live))} long${shorter}`;
}

export function notesOn(source: DriftSource, live: Recording, decisions: readonly DriftDecision[]): string[] {
  const { reference, model, streams, fromMs, toMs, intervalMs } = source;
  const notes: string[] = [];
  const names = streams.slice(0, model === null ? undefined : -1).map(({ name }) => name);
  const lacking = names.filter((name) => !live.names.includes(name));
  const more = live.names.filter((name) => !names.includes(name));
  if (lacking.length > 0) notes.push(`LIVE lacks ${lacking.join(', ')}: judged as missing`);
  if (more.length > 0) notes.push(`the reference knows nothing of ${more.join(', ')}: left out`);
  if (reference !== null && isProvisional(reference)) {
    const why =
      reference.spanMs < SETTLED_SPAN_MS
        ? `the reference is ${formatDuration(reference.spanMs)} long, and may never have seen a weekend; ${formatDuration(SETTLED_SPAN_MS)} are needed`
        : 'windows are shorter than a day';
    notes.push(`provisional: ${why}`);
  }
  const unfilled = decisions.filter(({ unjudged }) => unjudged !== null);
  // The first is nearly never whole.
  if (unfilled.length > 2) notes.push(`${unfilled.length} of ${decisions.length} windows were not whole`);
  for (const fault of ['stuck', 'missing'] as const) {
    const of = new Set(
      decisions.flatMap(({ faults }) => faults.flatMap((one) => (one.fault === fault ? [one.stream] : []))),
    );
    const told = [...of]
      .map((stream) => streams[stream as number]?.name)
      .filter((name) => name !== undefined);
    const metrics = told.filter((name) => !lacking.includes(name));
    if (metrics.length > 0)
      notes.push(
        `sensor ${fault === 'stuck' ? 'stuck' : 'without values'}, not judged for drift at that time: ${metrics.join(', ')}`,
      );
  }
  if (model !== null && Math.abs(live.intervalMs - intervalMs) > 0.1 * intervalMs) {
    notes.push(
      `LIVE has a row every ${formatDuration(live.intervalMs)}, the model learned from one every ${formatDuration(intervalMs)}: its score is for other times`,
    );
  }
  const [first, last] = [live.timesMs[0] as number, live.timesMs.at(-1) as number];
  if (first <= toMs && last >= fromMs) {
    notes.push('LIVE and the reference overlap in time: where they hold the same rows, nothing differs');
  }
  if (live.rowsOutOfOrder > 0) {
    notes.push(
      `${live.rowsOutOfOrder} rows of LIVE were out of order, or of a time that was there before: left out`,
    );
  }
  if (live.timesMs.length < live.rowsRead) {
    notes.push(
      `of ${live.rowsRead} rows of LIVE ${live.timesMs.length} were kept, in whole stretches over all of the time`,
    );
  }
  return notes;
}
