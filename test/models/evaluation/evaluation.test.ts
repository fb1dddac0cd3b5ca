import { beforeAll, describe, expect, test } from 'vitest';
import { reportDocument } from '../../../cli/report/document.ts';
import { renderHtml } from '../../../cli/report/html.ts';
import { evaluationPage } from '../../../cli/report/text.ts';
import type { Model } from '../../../core/model.ts';
import { type Evaluation, evaluate } from '../../../models/evaluation/evaluation.ts';
import { smallModel, smallRecording } from '../../support/evaluated.ts';

const clock = (): (() => number) => {
  let us = 0;
  return () => {
    us += 7;
    return us;
  };
};
const HOSTILE = '<img src=x onerror=alert(1)>"\u001b[31m\u202e&';

describe.each(['metric-forests', 'isolation-forest'] as const)('evaluate %s', (detector) => {
  let model: Model;
  let other: Model;
  let evaluation: Evaluation;

  beforeAll(() => {
    model = smallModel(detector);
    // Blind: only what it was trained on is beyond its thresholds.
    const never = { info: 1e9, warning: 1e9, critical: 1e9, provisional: false };
    other = { ...model, thresholds: { surprise: never, forest: never, score: never } };
    evaluation = judge(other);
  });

  const judge = (against: Model | null, robustness = true): Evaluation =>
    evaluate(
      {
        model,
        against,
        recordings: [smallRecording(true), smallRecording(true, HOSTILE)],
        seed: 1,
        robustness,
      },
      clock(),
    );

  test('the same again is the same', () => {
    expect(judge(other, false)).toEqual({ ...evaluation, robustness: [] });
  });

  test('finds what is labelled, file by file and in all', () => {
    expect(evaluation.metrics.rows).toBe(3600);
    expect(evaluation.metrics.averagePrecision).toBeGreaterThan(0.25);
    // So many in a few hours raise the guard: one may pass below it.
    expect(evaluation.metrics.events?.segments).toBe(8);
    expect(evaluation.metrics.events?.found).toBeGreaterThanOrEqual(6);
    expect(evaluation.files.map(({ metrics }) => metrics.events?.segments)).toEqual([4, 4]);
    for (const kind of ['spike', 'levelShift'] as const) {
      const faults = evaluation.files.reduce(
        (sum, file) => sum + (file.metrics.injected[kind]?.faults ?? 0),
        0,
      );
      expect(faults).toBeGreaterThan(0);
      expect(evaluation.metrics.injected[kind]?.faults).toBe(faults);
    }
    expect(evaluation.latency.score).toEqual({ rows: 10_000, p50Us: 7, p95Us: 7, p99Us: 7 });
  });

  test('the disturbances that were asked for, each with finite scores', () => {
    const names = evaluation.robustness.map(({ name }) => name);
    expect(names.filter((name) => /^noise of 0\.(01|05|1) sd$/.test(name))).toHaveLength(3);
    expect(names.filter((name) => /^1 % of the rows x (2|5|10)$/.test(name))).toHaveLength(3);
    expect(names.filter((name) => /^all shifted by (0\.1|0\.5|1) sd$/.test(name))).toHaveLength(3);
    expect(names.filter((name) => /^without /.test(name))).toHaveLength(4);
    expect(names.filter((name) => / stuck /.test(name))).toHaveLength(4);
    for (const { nonFiniteScores, meanScoreChange, otherVerdicts } of evaluation.robustness) {
      expect(nonFiniteScores).toBe(0);
      expect(Number.isFinite(meanScoreChange)).toBe(true);
      expect(otherVerdicts).toBeLessThanOrEqual(1);
    }
    const moved = (name: string): number =>
      evaluation.robustness.find((one) => one.name === name)?.meanScoreChange ?? 0;
    expect(moved('all shifted by 1 sd')).toBeGreaterThan(moved('all shifted by 0.1 sd'));
    expect(moved('1 % of the rows x 10')).toBeGreaterThan(0);
  });

  test('a model that never speaks is worse in events, and in nothing else', () => {
    const outcomes = Object.fromEntries(
      evaluation.comparison?.differences.map(({ measure, outcome }) => [measure, outcome]) ?? [],
    );
    expect(outcomes).toMatchObject({
      averagePrecision: 'no difference shown',
      rocAuc: 'no difference shown',
      eventF1: 'better',
    });
    expect(evaluation.comparison).toMatchObject({ outcome: 'better', verdict: 'better in event F1' });
    const same = judge(model, false).comparison;
    expect(same?.outcome).toBe('no difference shown');
    expect(same?.differences.every(({ difference, low, high }) => !difference && !low && !high)).toBe(true);
  });

  test('without labels: alarms and injected faults', () => {
    const unlabelled = evaluate(
      { model, against: other, recordings: [smallRecording(false)], seed: 1, robustness: false },
      clock(),
    );
    expect(unlabelled.metrics).toMatchObject({
      averagePrecision: null,
      events: null,
      falseAlarmsPerDay: null,
    });
    expect(unlabelled.metrics.injected.spike?.faults).toBeGreaterThan(0);
    expect(unlabelled.robustness).toEqual([]);
    expect(unlabelled.comparison?.differences.map(({ measure }) => measure)).toEqual([
      'alarmsPerDay',
      'injectedRecall',
    ]);
    const html = renderHtml(report(unlabelled));
    expect(html).toMatch(/<th>web-1<\/th>/);
    expect(html).not.toContain('all files');
    expect(html).not.toMatch(/ 1 alarms|\b1 labelled segments/);
    expect(html).not.toContain('plot-roc');
    expect(html).not.toContain('NaN');
  });

  const report = (of: Evaluation) => {
    const sha256 = 'ab'.repeat(32);
    const evaluated = { model, bytes: new Uint8Array(5), sha256, shown: HOSTILE, given: HOSTILE };
    return { model: evaluated, against: evaluated, evaluation: of, gate: null, seed: 1 };
  };

  test('whatever comes from outside is shown, not obeyed', () => {
    const html = renderHtml(report(evaluation));
    expect(html).toBe(renderHtml(report(evaluation)));
    expect(html).not.toMatch(/<img|<script|[\p{Cc}--\n]|\p{Bidi_Control}|NaN|undefined|Infinity/v);
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(html).not.toMatch(/https?:|url\(|@import/);
    expect(html.length).toBeLessThan(2_000_000);
    const page = evaluationPage(report(evaluation), false);
    expect(page).not.toMatch(/[\p{Cc}--\n]|\p{Bidi_Control}|NaN|undefined/v);
    expect(JSON.stringify(reportDocument(report(evaluation)))).not.toContain('NaN');
  });

  test('the other model is called by its name, and the caveat is in the headline', () => {
    const evaluated = { model, bytes: new Uint8Array(5), sha256: 'ab'.repeat(32), shown: 'web@2' };
    const against = { ...evaluated, shown: 'web@1', given: 'web@production (version 1)' };
    const { comparison } = evaluation;
    if (comparison === null) throw new Error('no comparison');
    const caveated = {
      ...evaluation,
      comparison: { ...comparison, caveat: 'web@1 learned from these rows' },
    };
    const whole = {
      model: { ...evaluated, given: 'web@2' },
      against,
      evaluation: caveated,
      gate: null,
      seed: 1,
    };
    const page = evaluationPage(whole, false);
    expect(page).toContain(
      'against web@production (version 1): better in event F1, but web@1 learned from these rows\n',
    );
    expect(page).toMatch(/^ {2}measure +this +web@production \(version 1\) +difference/m);
    expect(page).toContain('labelled segments found');
    const html = renderHtml(whole);
    expect(html).toContain(
      '<b>Better in event F1</b> than web@production (version 1), <b>but web@1 learned from these rows</b>',
    );
    expect(html).toContain('<th>web@production (version 1)</th>');
    expect(html).toMatch(/<text class="legend"[^>]*>web@production \(version 1\), 0/);
    expect(html).toContain('<span>latency, p99</span>');
    expect(html).not.toMatch(/>other[<:,]/);
    expect(html.match(/class="heading"[^>]*>(Rows that are flagged only|AUC-PR with)/g)).toHaveLength(2);
    expect(html).toContain('each raises the guard');
    // Beyond the data, an axis is empty.
    expect(html).not.toContain('>1000</text>');
  });

  test('rows that the model can not judge are refused by name', () => {
    const few = smallRecording(true, 'tiny', 50);
    const foreign = { ...smallRecording(true, 'queue'), names: ['a', 'b', 'c', 'd'] };
    const of = (recording: typeof few) => () =>
      evaluate({ model, against: null, recordings: [recording], seed: 1, robustness: false }, clock());
    expect(of(few)).toThrow('tiny: 50 rows, at least 100');
    expect(of(foreign)).toThrow('queue has none of the metrics of the model (cpu, memory, network, swap)');
  });
});
