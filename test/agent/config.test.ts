import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, defaultStateDir, resolveConfig, type Settings } from '../../agent/config/config.ts';
import { parseConfig, readConfigFile } from '../../agent/config/file.ts';
import { KEY_BY_PATH, KEYS } from '../../agent/config/keys.ts';
import { suggest } from '../../agent/config/suggest.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { unprivileged } from '../support/unprivileged.ts';

const settings = (values: Record<string, unknown>, sinks: Settings['sinks'] = []): Settings => ({
  values: new Map(Object.entries(values)),
  sinks,
});

function faultsOf(text: string): string[] {
  try {
    parseConfig(text, 'agent.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}
const parsed = (text: string): Record<string, unknown> =>
  Object.fromEntries(parseConfig(text, 'agent.yaml').values);

describe('the table of settings', () => {
  test('each path once, each with words, each default taken by its own parser', () => {
    expect(KEY_BY_PATH.size).toBe(KEYS.length);
    for (const key of KEYS) {
      expect(key.doc).toMatch(/\.$/);
      expect(key.expected).not.toBe('');
      if (key.default !== undefined) expect(key.parse(key.default)).toBeDefined();
    }
  });

  test('no parser throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (raw) => {
        for (const key of KEYS) key.parse(raw);
      }),
    );
  });

  test.each<[string, unknown, unknown]>([
    ['interval', '5s', 5000],
    ['interval', 5, 5000],
    ['interval', '99ms', undefined],
    ['interval', ['5s'], undefined],
    ['interval', true, undefined],
    ['site', 'lab', 'lab'],
    ['site', 7, '7'],
    ['site', 'a/b', undefined],
    ['site', 'a\u0007', undefined],
    ['site', 'x'.repeat(65), undefined],
    ['site', '', undefined],
    ['labels', { role: 'web', rack: 4 }, { role: 'web', rack: '4' }],
    ['labels', { 'no spaces': 'x' }, undefined],
    ['labels', { a: null }, undefined],
    ['labels', ['a'], undefined],
    ['labels', Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, 'x'])), undefined],
    ['source', 'replay:a.csv', 'replay:a.csv'],
    ['source', 'replay:', undefined],
    ['source', 'magic', undefined],
    ['network.include', ['eth0'], ['eth0']],
    ['network.include', 'eth0', undefined],
    ['network.include', [1], undefined],
    ['budget.info', '4/day', 4],
    ['budget.info', '0/day', undefined],
    ['retention.databaseBytes', '1GB', 1e9],
    ['retention.databaseBytes', '1MB', undefined],
    ['sinks[].url', 'mqtts://broker:8883', 'mqtts://broker:8883'],
    ['sinks[].url', 'http://influx:8086?org=a', 'http://influx:8086?org=a'],
    ['sinks[].url', 'amqp://broker', undefined],
    ['sinks[].protocolVersion', 5, 5],
    ['sinks[].protocolVersion', 3, undefined],
    ['sinks[].insecure', 'true', true],
    ['sinks[].insecure', false, false],
    ['sinks[].insecure', 'maybe', undefined],
  ])('%s: %j', (path, raw, value) => {
    expect(KEY_BY_PATH.get(path)?.parse(raw)).toEqual(value);
  });
});

describe('resolving', () => {
  test('an MLflow server comes with its files, and with no password in its url', () => {
    const mlflow = { 'mlflow.url': 'https://mlflow:5000', 'mlflow.tokenFile': '/t' };
    expect(resolveConfig([settings(mlflow)]).mlflow).toEqual({
      url: 'https://mlflow:5000',
      tokenFile: '/t',
      experiment: 'anomaly_detection_inference',
    });
    const secret = { 'mlflow.url': 'http://ann:open-sesame@mlflow:5000' };
    expect(() => resolveConfig([settings(secret)])).toThrow(
      /holds a user name or password; put them into files/,
    );
    expect(() => resolveConfig([settings(secret)])).not.toThrow(/open-sesame/);
    expect(() => resolveConfig([settings({ 'mlflow.tokenFile': '/t' })])).toThrow(/there is no `url`/);
    const ca = { 'mlflow.url': 'http://mlflow:5000', 'mlflow.caFile': '/c' };
    expect(() => resolveConfig([settings(ca)])).toThrow(/http:\/\/ is not encrypted/);
  });

  test('who has switched refits off keeps the model, unless retraining is asked for', () => {
    const modeOf = (values: Readonly<Record<string, unknown>>): string =>
      resolveConfig([settings({ stateDir: '/s', ...values })]).retraining.mode;
    expect(modeOf({ 'learning.refit': 'off' })).toBe('off');
    expect(modeOf({ 'learning.refit': 'off', 'retraining.mode': 'local' })).toBe('local');
    expect(modeOf({ 'learning.refit': 'off', 'retraining.schedule': '0 3 * * sun' })).toBe('local');
    expect(modeOf({ 'retraining.mode': 'central' })).toBe('central');
  });

  test('with nothing said everything has its default', () => {
    expect(resolveConfig([settings({ stateDir: '/s' })])).toEqual({
      intervalMs: 5000,
      site: 'default',
      hostId: null,
      hostName: hostname(),
      labels: {},
      stateDir: '/s',
      socket: '/s/agent.sock',
      source: 'auto',
      pace: 'realtime',
      view: 'auto',
      networkInclude: undefined,
      networkExclude: undefined,
      warmupMs: 900_000,
      refit: 'auto',
      retraining: { mode: 'local', onDrift: true, schedule: null },
      budget: { infoPerDay: 1, warningPerDay: 1 / 7, criticalPerDay: 1 / 30.4375 },
      renotifyMs: 3_600_000,
      http: null,
      central: null,
      mlflow: null,
      maintenance: [],
      processes: { count: 5, commandLines: false },
      limits: {
        sampleRetentionMs: 14 * 86_400_000,
        eventRetentionMs: 90 * 86_400_000,
        databaseMaxBytes: 512e6,
        outboxMaxBytesPerSink: 32e6,
      },
      logLevel: 'info',
      logFile: null,
      logFormat: 'auto',
      sinks: [],
    });
  });

  test('what is said later wins: file, environment, flags', () => {
    const one = { type: 'stdout', name: 'a' } as const;
    const two = { type: 'stdout', name: 'b' } as const;
    const config = resolveConfig([
      settings({ site: 'file', interval: 1000 }, [one]),
      settings({ site: 'flag' }, [two]),
      settings({}),
    ]);
    expect([config.site, config.intervalMs, config.sinks]).toEqual(['flag', 1000, [two]]);
  });

  test('sinks need names of their own, and a broker', () => {
    const sink = { type: 'stdout', name: 'out' } as const;
    expect(() => resolveConfig([settings({}, [sink, sink])])).toThrow(/two sinks are named "out"/);
    expect(() => resolveConfig([settings({}, [{ type: 'mqtt', name: 'm' }])])).toThrow(/"m" has no `url`/);
  });

  test('the state directory: systemd, root, the user', () => {
    expect(defaultStateDir({ STATE_DIRECTORY: '/var/lib/x' }, 5)).toBe('/var/lib/x');
    expect(defaultStateDir({ STATE_DIRECTORY: '' }, 0)).toBe('/var/lib/edgewood');
    expect(defaultStateDir({ XDG_STATE_HOME: '/x', HOME: '/h' }, 5)).toBe('/x/edgewood');
    expect(defaultStateDir({ HOME: '/h' }, 5)).toBe('/h/.local/state/edgewood');
    expect(defaultStateDir({}, 5)).toBe('/tmp/edgewood-5');
  });
});

describe('the file', () => {
  test('everything at once', () => {
    const { values, sinks } = parseConfig(
      `interval: 10s
labels:
  role: web
network:
  exclude: [docker0]
budget: { info: 2/day }
sinks:
  - type: mqtt
    url: mqtt://broker
    protocolVersion: 5
  - { type: stdout, name: out }
`,
      'f',
    );
    expect(Object.fromEntries(values)).toEqual({
      interval: 10_000,
      labels: { role: 'web' },
      'network.exclude': ['docker0'],
      'budget.info': 2,
    });
    expect(sinks).toEqual([
      { type: 'mqtt', name: 'mqtt', url: 'mqtt://broker', protocolVersion: 5 },
      { type: 'stdout', name: 'out' },
    ]);
  });

  test.each(['', '\n# only a comment\n', '---\n', 'null'])('nothing said: %j', (text) => {
    expect(parsed(text)).toEqual({});
  });

  test.each<[string, string, string | RegExp]>([
    [
      'a value',
      'interval: 5s\nsite: a/b\n',
      'agent.yaml:2:7: site: expected 1 to 64 characters without / + #, found "a/b"',
    ],
    ['an empty value', 'site:\n', /^agent\.yaml:1:\d: site: expected .*, found nothing$/],
    ['a near miss', 'intervall: 5s', 'agent.yaml:1:1: unknown setting "intervall"; did you mean "interval"?'],
    [
      'a near miss inside',
      'log:\n  levle: info',
      'agent.yaml:2:3: unknown setting "log.levle"; did you mean "log.level"?',
    ],
    ['nothing near', 'quantum: 1', 'agent.yaml:1:1: unknown setting "quantum"'],
    ['a map where none is', 'log: debug', 'agent.yaml:1:1: log: expected a map with level, format, file'],
    ['sinks as a map', 'sinks: { type: mqtt }', /^agent\.yaml:1:1: sinks: expected a list/],
    ['a sink as a text', 'sinks:\n  - mqtt', /^agent\.yaml:2:5: sinks: expected `- type: mqtt`/],
    ['a sink without type', 'sinks:\n  - url: mqtt://b', /^agent\.yaml:2:5: sinks: `type` is missing/],
    [
      'a sink of no known type',
      'sinks:\n  - type: amqp',
      /^agent\.yaml:2:11: sinks\[\]\.type: expected mqtt, influx, webhook or stdout, found "amqp"$/,
    ],
    [
      'a near miss in a sink',
      'sinks:\n  - type: mqtt\n    ulr: x',
      /^agent\.yaml:3:5: unknown setting "sinks\[\]\.ulr"; did you mean "sinks\[\]\.url"\?$/,
    ],
    ['the same twice', 'site: a\nsite: b', /^agent\.yaml:2:1: "site" is there twice; keep one of them$/],
    ['a tab', 'log:\n\tlevel: info', /^agent\.yaml:2:1: a tab: indent with blanks$/],
    ['an open quote', 'site: "abc', /^agent\.yaml:1:\d+: /],
    ['a list', '- a\n- b', 'agent.yaml:1:1: expected settings as `key: value`'],
    ['a text', 'hello', 'agent.yaml:1:1: expected `key: value`; a colon is missing'],
    ['two documents', 'site: a\n---\nsite: b', /^agent\.yaml:\d+:\d+: /],
    ['a key that is a list', '? [a, b]\n: c', /^agent\.yaml:1:3: unknown setting ""/],
    ['a long value, cut', `site: ${'/'.repeat(500)}`, /found "\/{59}…$/],
  ])('%s', (_, text, fault) => {
    const [first, ...others] = faultsOf(text);
    if (typeof fault === 'string') expect(first).toBe(fault);
    else expect(first).toMatch(fault);
    expect(others).toEqual([]);
  });

  test('all faults at once, in order', () => {
    expect(faultsOf('interval: soon\nlog: { level: loud }\npase: max')).toEqual([
      'agent.yaml:1:11: interval: expected a duration from 100ms to 1h, e.g. 5s, found "soon"',
      'agent.yaml:2:15: log.level: expected debug, info, warning or error, found "loud"',
      'agent.yaml:3:1: unknown setting "pase"; did you mean "pace"?',
    ]);
  });

  test('a label may be called anything that is a name', () => {
    expect(parsed('labels: { __proto__: x, constructor: y }')).toEqual({
      labels: Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
    });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('a hostile file', () => {
  test('a billion laughs cost nothing and are refused', () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `  l${i + 1}: &l${i + 1} [${new Array(9).fill(`*l${i}`).join(', ')}]`,
    );
    expect(faultsOf(`labels:\n  l0: &l0 lol\n${levels.join('\n')}\n`)).toHaveLength(1);
    expect(faultsOf(`x: &a [*a, *a]\nsite: *a`).length).toBeGreaterThan(0);
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{a: '.repeat(20_000)],
    ['dashes', '- '.repeat(50_000)],
    ['questions', '? '.repeat(50_000)],
    ['closed brackets', `labels: ${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['indentation', Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['one long line', 'a'.repeat(250_000)],
    ['a long key', `${'a'.repeat(100_000)}: b`],
    ['NUL', 'site: "\\0"\n\u0000'],
  ])('%s', (_, text) => {
    expect(faultsOf(text).length).toBeGreaterThan(0);
  });

  test('any text gives settings or a ConfigError that names the file', () => {
    const words = [...KEYS.flatMap(({ path }) => path.split('.')), 'sinks', 'type', 'mqtt', 'stdout', '5s'];
    const signs = [
      ': ',
      '\n',
      '\n  ',
      '\n  - ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ', ',
      '&a ',
      '*a',
      '!!map ',
      '!!set ',
      '? ',
      '"',
      "'",
      '|\n',
      '>',
      '#',
      '<<: ',
      '---\n',
      '%TAG',
      '\t',
      '\u0000',
      '\ud800',
    ];
    const soup = fc
      .array(fc.constantFrom(...words, ...signs, ...signs), { maxLength: 30 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        for (const fault of faultsOf(text)) expect(fault).toMatch(/^agent\.yaml:\d+:\d+: ./);
      }),
      { numRuns: 3000 },
    );
  });

  test('any settings in the right form are read or refused at their place', () => {
    const paths = KEYS.map(({ path }) => path).filter((path) => !path.includes('['));
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const [head = '', tail] = path.split('.');
        const inner = tail === undefined ? value : { [tail]: value };
        for (const fault of faultsOf(JSON.stringify({ [head]: inner })))
          expect(fault).toContain(`: ${path}: `);
      }),
      { numRuns: 500 },
    );
  });
});

describe('from disk', () => {
  test('reads what is there; names what is not', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'agent.yaml');
    expect(() => readConfigFile(path)).toThrow(
      new ConfigError(`${path}: no such file; expected a YAML file`),
    );
    writeFileSync(path, 'site: lab\n');
    expect(readConfigFile(path).values.get('site')).toBe('lab');
    writeFileSync(path, `# ${'x'.repeat(300_000)}`);
    expect(() => readConfigFile(path)).toThrow(/300002 bytes; at most 262144 are read/);
    mkdirSync(join(directory, 'folder'));
    expect(() => readConfigFile(join(directory, 'folder'))).toThrow(/is a folder/);
    expect(() => readConfigFile(join(path, 'below'))).toThrow(/ENOTDIR; expected a YAML file/);
  });

  test('not readable', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'agent.yaml');
    writeFileSync(path, 'site: lab\n');
    chmodSync(path, 0);
    unprivileged(directory, () => expect(() => readConfigFile(path)).toThrow(/not readable by this user/));
  });
});

test('suggestions come only where they are near', () => {
  expect(suggest('Interval')).toBe('; did you mean "interval"?');
  expect(suggest('sink')).toBe('; did you mean "sinks"?');
  expect(suggest('sinks[].password')).toBe('; did you mean "sinks[].passwordFile"?');
  expect(suggest('zzzzzzzzz')).toBe('');
  expect(suggest('sinks[].qos')).toMatch(/^; an entry of sinks has type, name, url/);
  expect(suggest('sinks[].passwrdFile')).toBe('; did you mean "sinks[].passwordFile"?');
  expect(suggest('log.colour')).toBe('; log has level, format, file');
  expect(suggest('level')).toMatch(/^; did you mean "log\.level"\?/);
});
