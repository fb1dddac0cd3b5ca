import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, defaultStateDir, resolveConfig } from '../../agent/config/config.ts';
import { parseConfig, readConfigFile } from '../../agent/config/file.ts';
import { KEYS } from '../../agent/config/keys.ts';
import { hostIdFrom, readMachineId } from '../../agent/identity.ts';
import { createLog, printable } from '../../agent/log.ts';
import { parseBytes, parseDurationMs, parseRatePerDay } from '../../agent/units.ts';

const faultsOf = (text: string): string => {
  try {
    resolveConfig([parseConfig(text, 'agent.yaml')]);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
};

describe('the configuration file', () => {
  test('a whole one is taken as meant', () => {
    const config = resolveConfig([
      parseConfig(
        `
interval: 1s
site: berlin
labels: { role: web, rack: 7 }
budget: { info: 2/day, warning: 1/week }
network: { exclude: [eth9] }
sinks:
  - type: mqtt
    url: mqtts://broker:8883
    passwordFile: /run/secret
  - type: stdout
`,
        'agent.yaml',
      ),
    ]);
    expect(config).toMatchObject({
      intervalMs: 1000,
      site: 'berlin',
      labels: { role: 'web', rack: '7' },
      networkExclude: ['eth9'],
      budget: { infoPerDay: 2 },
    });
    expect(config.budget.warningPerDay).toBeCloseTo(1 / 7);
    expect(config.sinks).toEqual([
      { type: 'mqtt', name: 'mqtt', url: 'mqtts://broker:8883', passwordFile: '/run/secret' },
      { type: 'stdout', name: 'stdout' },
    ]);
  });

  test.each([
    ['intervall: 5s', 'agent.yaml:1:1: unknown setting "intervall"; did you mean "interval"?'],
    [
      'interval: soon',
      'agent.yaml:1:11: interval: expected a duration from 100ms to 1h, e.g. 5s, found "soon"',
    ],
    ['site: a/b', 'agent.yaml:1:7: site: expected 1 to 64 characters'],
    ['sinks:\n  - url: mqtt://x', 'agent.yaml:2:5: sinks: `type` is missing'],
    ['sinks:\n  - type: mqtt', 'has no `url`'],
    ['sinks:\n  - type: kafka', 'agent.yaml:2:11: sinks[].type: expected mqtt or stdout, found "kafka"'],
    ['sinks: mqtt', 'expected a list'],
    ['sinks: [mqtt]', 'expected `- type: mqtt`'],
    ['sinks:\n  - type: stdout\n  - type: stdout', 'two sinks are named "stdout"'],
    ['budget: 3', 'expected a map with info, warning, critical'],
    ['budget:\n  inof: 1/day', 'agent.yaml:2:3: unknown setting "budget.inof"; did you mean "budget.info"?'],
    ['a: [', 'agent.yaml:1:'],
    ['interval: 1s\ninterval: 2s', 'agent.yaml:2:1'],
    ['just text', 'expected settings as `key: value`'],
    ['labels: [a]', 'expected a map'],
  ])('%j is told where and how to mend', (text, message) => {
    expect(faultsOf(text)).toContain(message);
  });

  test('every fault is told at once; an empty file is fine', () => {
    expect(faultsOf('interval: x\nsite: "#"\npase: max').split('\n')).toHaveLength(3);
    expect(faultsOf('')).toBe('');
    expect(faultsOf('# nothing\n')).toBe('');
  });

  test('whatever the text, only ConfigError', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(...KEYS.map((key) => `${key.path}: &a [*a]`), 'sinks: {<<: *x}', '- - -'),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => void faultsOf(lines.join('\n'))),
      { numRuns: 300 },
    );
    const laughs = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 12; i++)
      laughs.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      );
    expect(faultsOf(`${laughs.join('\n')}\nlabels: *a11`)).not.toBe('');
  });

  test('files that can’t be read are named', () => {
    expect(() => readConfigFile('/nonexistent/x.yaml')).toThrow('/nonexistent/x.yaml: no such file');
    expect(() => readConfigFile('/')).toThrow('is a folder');
  });

  test('later layers win, and every default is one that the table takes', () => {
    const layer = (interval: number) => ({
      values: new Map<string, unknown>([['interval', interval]]),
      sinks: [],
    });
    expect(resolveConfig([layer(1000), layer(2000)]).intervalMs).toBe(2000);
    for (const key of KEYS) if (key.default !== undefined) expect(key.parse(key.default)).toBeDefined();
  });

  test('the state directory', () => {
    expect(defaultStateDir({ STATE_DIRECTORY: '/var/lib/x' }, 1000)).toBe('/var/lib/x');
    expect(defaultStateDir({}, 0)).toBe('/var/lib/edgewood');
    expect(defaultStateDir({ HOME: '/home/a' }, 1000)).toBe('/home/a/.local/state/edgewood');
    expect(defaultStateDir({}, 1000)).toBe('/tmp/edgewood-1000');
  });
});

test('units', () => {
  expect(['500ms', '5s', '15m', '2 h', '14d', '7'].map(parseDurationMs)).toEqual([
    500,
    5000,
    900_000,
    7_200_000,
    14 * 86_400_000,
    7000,
  ]);
  expect(['', 'x', '-5s', '5y'].map(parseDurationMs)).toEqual([null, null, null, null]);
  expect(['1/day', '2 per week', '1/10m', '1/h'].map(parseRatePerDay)).toEqual([1, 2 / 7, 144, 24]);
  expect(['1', '1/0s', 'a/day'].map(parseRatePerDay)).toEqual([null, null, null]);
  expect(['1000', '1kB', '1KiB', '512MB', '1G'].map(parseBytes)).toEqual([1000, 1000, 1024, 512e6, 1e9]);
  expect(parseBytes('many')).toBeNull();
});

test('logs are JSON lines, or readable; control characters are shown, not obeyed', () => {
  const lines: string[] = [];
  const options = { level: 'info' as const, nowMs: () => 0, write: (line: string) => lines.push(line) };
  createLog({ ...options, pretty: false, colour: false })('warning', 'a.b', { x: 'y\u001b[2J' });
  expect(JSON.parse(lines[0] as string)).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    level: 'warning',
    event: 'a.b',
    x: 'y\u001b[2J',
  });
  createLog({ ...options, pretty: true, colour: false })('error', 'a.b', { x: 'y\u001b[2J', n: 3 });
  expect(lines[1]).toBe('00:00:00 a.b x=y\\u001b[2J n=3\n');
  createLog({ ...options, pretty: true, colour: true })('debug', 'hidden');
  expect(lines).toHaveLength(2);
  expect(printable('a\u202eb\u0000')).toBe('a\\u202eb\\u0000');
});

test('a host is named by a hash of its machine id and its site', () => {
  expect(hostIdFrom(null, 'x')).toBeNull();
  const id = hostIdFrom('0'.repeat(32), 'berlin');
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(hostIdFrom('0'.repeat(32), 'bonn')).not.toBe(id);
  expect(readMachineId(['/nonexistent', '/etc/hostname'])).toBeNull();
});
