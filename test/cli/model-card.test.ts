import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { page } from '../../cli/commands/models/list.ts';
import { type OpenedModel, openModel, referenceOf } from '../../cli/model-reference.ts';
import { modelCard } from '../../cli/models/card.ts';
import { diffModels } from '../../cli/models/diff.ts';
import { list, markdown, paragraph, table, toMarkdown, toText } from '../../cli/models/document.ts';
import type { Model } from '../../core/model.ts';
import { decodeModel } from '../../models/artifact.ts';
import { tinyIsolationForest, tinyModel } from '../support/artifacts.ts';
import { ASSESSMENT, registrable } from '../support/records.ts';
import { temporaryDirectory } from '../support/temporary.ts';

function opened(model: Model, changes: Parameters<typeof registrable>[4] = {}, version = 1): OpenedModel {
  const { bytes, record } = registrable('web', version, '2026-01-02T03:04:05.000Z', model, changes);
  const shown = `web@${version}`;
  return { model: decodeModel(bytes), bytes, sha256: record.sha256, record, aliases: [], shown };
}

const UNKNOWN = { precision: null, recall: null, f1: null, events: null } as const;

describe('card', () => {
  test('several hosts stand side by side, the unlike one named, and what is not known said', () => {
    const base = tinyModel();
    const hosts = ['calm', 'busy'].map((host, i) => ({
      host,
      rows: 60,
      thresholds: { ...base.thresholds, surprise: { ...base.thresholds.surprise, info: i + 1 } },
    }));
    const reports = hosts.map(({ host, rows }, i) => ({
      host,
      rows,
      thresholdRatio: i + 0.5,
      outside: { metric: 'cpu', share: i * 0.75 },
      unlike: i === 1,
    }));
    const text = toText('x', modelCard(opened({ ...base, hosts }, { hosts: reports })));
    expect(text).toMatch(/^ {2}calm +60 +1 +0\.5 +0 % of cpu$/m);
    expect(text).toMatch(/^ {2}busy +60 +2 +1\.5 +75 % of cpu +unlike the others$/m);
    expect(text).toContain('served worse: busy');
    expect(text).toContain('Not known: precision, recall and false alarms host by host');
    expect(toText('x', modelCard(opened(base)))).toContain('How it does on other hosts is not known');
  });

  test('without labels it does not claim to know', () => {
    const blind = { ...ASSESSMENT, ...UNKNOWN, falseAlarmsPerDay: null };
    const text = toText('x', modelCard(opened(tinyModel(), { metrics: { validation: blind, test: blind } })));
    expect(text).toMatch(/^ {2}F1 +– +–$/m);
    expect(text).toContain('false alarms and missed incidents are not known');
    const none = toText('x', modelCard(opened(tinyModel(), { metrics: { validation: null, test: null } })));
    expect(none).toContain('Nobody has measured how well it detects');
  });

  test('labels of no anomaly in the judged rows are not taken for none', () => {
    const quiet = { ...ASSESSMENT, ...UNKNOWN, falseAlarmsPerDay: 0.25 };
    const card = (changes: Parameters<typeof registrable>[4]): string =>
      toText('x', modelCard(opened(tinyModel(), changes))).replace(/\s+/g, ' ');
    const text = card({ metrics: { validation: quiet, test: quiet } });
    expect(text).toContain('No labelled anomaly in the compare and test rows');
    expect(text).toContain('missed incidents are not known; false alarms: 0.25 a day');
    expect(text).not.toContain('no labels');
    const blind = { ...quiet, falseAlarmsPerDay: null };
    const rows = { read: 10, used: 7, leftOut: 3, train: 3, validation: 2, test: 2 };
    const left = card({ metrics: { validation: blind, test: blind }, rows });
    expect(left).toContain('no labelled anomaly in the compare and test rows: false alarms and missed');
    expect(left).not.toContain('no labels');
  });

  test('a file of no registry has a card as well', () => {
    const path = join(temporaryDirectory(), 'a.edgewood');
    writeFileSync(path, registrable('web', 1, '').bytes);
    const own = openModel(path, '/nowhere');
    expect([own.record, own.shown]).toEqual([null, path]);
    const text = toText('x', modelCard(own));
    expect(text).toContain('rows      2000, every 5 s');
    expect(text).toContain(own.sha256);
    expect(text).not.toContain('Performance');
  });
});

test('a reference is NAME@SOMETHING, and nothing else', () => {
  expect(referenceOf('web@3')).toEqual({ name: 'web', versionOrAlias: '3' });
  expect(referenceOf('web@production')).toEqual({ name: 'web', versionOrAlias: 'production' });
  for (const text of ['web', 'web@', '@1', 'a/b@1', 'web@1@2', '../x@1'])
    expect(referenceOf(text)).toBeNull();
});

test('a diff names what differs, and of the metrics all', () => {
  const a = opened(tinyModel(), { metrics: { validation: null, test: ASSESSMENT } });
  const b = opened(
    tinyIsolationForest(),
    { metrics: { validation: null, test: { ...ASSESSMENT, f1: 0.8 } } },
    2,
  );
  const diff = diffModels(a, b);
  expect(diff.features).toEqual({ common: ['cpu', 'memory'], onlyA: [], onlyB: [], order: 'same' });
  const parameters = new Map(diff.parameters.map((one) => [one.key, one]));
  expect(parameters.get('detector')).toMatchObject({
    a: 'metric-forests',
    b: 'isolation-forest',
    change: null,
  });
  expect(parameters.get('trees')).toMatchObject({ a: 1, b: 2, change: 1 });
  expect(parameters.has('seed')).toBe(false);
  expect(diff.data).toEqual([]);
  const metrics = new Map(diff.metrics.map((one) => [one.key, one.change]));
  expect(metrics.get('test.f1')).toBeCloseTo(0.2, 12);
  expect(metrics.get('test.injected.spike')).toBe(0);
  expect(diff.identical).toBe(false);
  expect(diffModels(a, a)).toMatchObject({ identical: true, parameters: [], thresholds: [], data: [] });
  expect(JSON.stringify(diff)).not.toContain('1000000000');
});

test('a list compares versions by what is known of them, with labels or without', () => {
  const test = { ...ASSESSMENT, ...UNKNOWN, falseAlarmsPerDay: null, alarmsPerDay: 2 };
  const injected = {
    spike: { faults: 4, caught: 3, recall: 0.75 },
    stuck: { faults: 4, caught: 0, recall: 0 },
  };
  const versionOf = (version: number, of: typeof ASSESSMENT | null) =>
    registrable('web', version, '2026-01-02T03:04:05.000Z', tinyModel(), {
      metrics: { validation: null, test: of },
    }).record;
  const listed = (...versions: ReturnType<typeof versionOf>[]): string =>
    page([{ name: 'web', versions, aliases: [] }], '/r');
  const unlabelled = listed(versionOf(1, null), versionOf(2, { ...test, injected }));
  expect(unlabelled).toMatch(/^model +created +detector +features +injected caught +alarms\/day +aliases$/m);
  expect(unlabelled).toMatch(/^web@2 .* 0\.375 +2$/m);
  expect(unlabelled).toMatch(/^web@1 .* – +–$/m);
  const labelled = listed(versionOf(1, { ...test, injected }), versionOf(2, ASSESSMENT));
  expect(labelled).toMatch(/^web@2 .* 0\.6 +0\.6 +0\.75 +2$/m);
  expect(labelled).toMatch(/^web@1 .* – +– +0\.375 +2$/m);
});

describe('Markdown', () => {
  test('text from anywhere is one line without any markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const out = markdown(text);
        expect(out).not.toMatch(/\p{Cc}/u);
        // Every character that could begin markup is escaped.
        expect(out.replace(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[\\`*_{}[\]<>()#+!|~&@$]|:\/\//);
        expect(out).not.toMatch(/^\s*([-=]|\d+[.)](\s|$))/);
        // And nothing is lost: what the escapes hide is what was there.
        const shown = (x: string): string => x.replace(/\\/g, '');
        if (/^[\x20-\x7e]*$/.test(text)) expect(shown(out)).toBe(shown(text));
      }),
      { numRuns: 1000 },
    );
    expect(markdown('1. x')).toBe('1\\. x');
    expect(markdown('0.5')).toBe('0.5');
    expect(markdown('- x')).toBe('\\- x');
    expect(markdown('cpu_iowait')).toBe('cpu\\_iowait');
  });

  test('tables keep their cells', () => {
    const page = toMarkdown('T', [
      { title: 'S', blocks: [table(['a', 'b'], [['x|y', '1\n2']]), list(['i']), paragraph('p')] },
    ]);
    expect(page).toBe('# T\n\n## S\n\n| a | b |\n| --- | ---: |\n| x\\|y | 1\\\\u000a2 |\n\n- i\n\np\n');
  });
});
