import { beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../../core/model.ts';
import { alikeRows } from '../../../models/evaluation/alike.ts';
import { evaluate } from '../../../models/evaluation/evaluation.ts';
import { smallModel, smallRecording } from '../../support/evaluated.ts';

describe('how rows and models fit', () => {
  const recording = smallRecording(true);
  let model: Model;
  beforeAll(() => {
    model = smallModel('metric-forests');
  });

  /** As if it had been trained on these very times, of these hosts. */
  const learned = (...hosts: string[]): Model => ({
    ...model,
    provenance: {
      ...model.provenance,
      trainedFromMs: recording.timesMs[0] as number,
      trainedToMs: recording.timesMs.at(-1) as number,
    },
    hosts: hosts.map((host) => ({ host, rows: 100, thresholds: model.thresholds })),
  });
  const of = (other: Model, host = 'web-1', own: Model = model) =>
    alikeRows(
      [
        { name: 'web@1', model: own },
        { name: 'smd@2', model: other },
      ],
      [{ ...recording, host }],
    );

  test('nothing to say of models that have seen such rows, and not these', () => {
    expect(of(model)).toMatchObject({ notes: [], caveat: null });
  });

  test('another model that knows none of the metrics is refused, one that lacks some is named', () => {
    const renamed = (...foreign: string[]): Model => ({
      ...model,
      schema: model.schema.map((metric) =>
        foreign.includes(metric.name) ? { ...metric, name: `x_${metric.name}` } : metric,
      ),
    });
    expect(() => of(renamed('cpu', 'memory', 'network', 'swap'))).toThrow(
      'web-1 has none of the metrics of smd@2 (x_cpu, x_memory, x_network, x_swap).',
    );
    expect(of(renamed('cpu', 'swap')).notes).toEqual([
      'web-1 lacks x_cpu, x_swap of smd@2: judged as missing',
    ]);
  });

  test('who learned from these rows is named, whichever of the two it is', () => {
    expect(of(learned('web-1', 'web-2')).caveat).toBe('smd@2 learned from these rows');
    expect(of(model, 'web-1', learned()).caveat).toBe('web@1 may have learned from these rows');
    expect(of(learned(), 'web-1', learned('web-1')).caveat).toBe(
      'web@1 learned from these rows, smd@2 may have learned from these rows',
    );
    const both = of(learned('web-1'), 'web-1', learned('web-1'));
    expect(both.caveat).toBe('web@1 and smd@2 learned from these rows');
    expect(both.notes).toHaveLength(2);
  });

  test('a host that was not learned from overlaps nothing, and has no thresholds of its own', () => {
    expect(of(learned('web-2', 'web-3'))).toMatchObject({
      caveat: null,
      notes: ['web-1 is not among the hosts of smd@2 (web-2, web-3): common thresholds'],
    });
  });

  test('values of another unit are noticed, in either direction; a few strange ones are not', () => {
    const scaled = (factor: number, from: number) => ({
      ...recording,
      columns: recording.columns.map((column, i) =>
        i === 0 ? column.map((x, row) => (row >= from ? x * factor : x)) : column,
      ),
    });
    const notes = (factor: number, from = 0): string[] =>
      alikeRows([{ name: 'web@1', model }], [scaled(factor, from)]).notes;
    const beyond =
      /^web-1: cpu: (9\d|100) % of its values lie beyond all that web@1 has seen: another unit\?$/;
    expect(notes(0.01)).toEqual([expect.stringMatching(beyond)]);
    expect(notes(100)).toEqual([expect.stringMatching(beyond)]);
    expect(notes(100, 900)).toEqual([]);
  });

  test('the verdict of a comparison carries the caveat', () => {
    const request = { model, recordings: [recording], seed: 1, robustness: false };
    const names = { model: 'web@1', against: 'smd@2' };
    const { comparison } = evaluate({ ...request, against: learned('web-1'), names }, () => 0);
    expect(comparison?.caveat).toBe('smd@2 learned from these rows');
  });
});
