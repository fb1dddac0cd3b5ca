import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentTopics } from '../../core/protocol/topics.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../support/mosquitto.ts';
import { recordingCsv, writeRecording } from '../support/recording.ts';
import { smallSeries } from '../support/series.ts';
import { TestFleet, testKey } from '../support/signed.ts';

/** An operator's signed commands, a real broker, and a real agent that had an incident. */

const SITE = 'lab';
const ROWS = 610;
const INTERVAL_MS = 5000;
const NAMES = ['cpu', 'memory', 'network', 'swap'];

describe.skipIf(!hasExecutable || !hasMosquitto)('commands to hosts', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-commands-'));
  const at = (name: string): string => join(directory, name);
  const fleet = new TestFleet(Date.now());
  const startMs = Math.floor(Date.now() / 1000) * 1000 - ROWS * INTERVAL_MS;
  const running: Run[] = [];
  let mosquitto: Mosquitto;
  let broker = '';
  let incident = '';

  const started = (args: readonly string[]): Run => {
    const run = runExecutable(args, { HOME: directory, EDGEWOOD_BROKER: broker, EDGEWOOD_SITE: SITE });
    running.push(run);
    return run;
  };
  async function run(...args: string[]): Promise<{ code: number | string; out: string; err: string }> {
    const it = started(args);
    const code = await it.ended;
    return { code, out: it.stdout(), err: it.stderr() };
  }
  const signing = ['--root', at('root.1.json'), '--key', at('ops.key')];
  const command = (...args: string[]) => run('fleet', ...args, ...signing);
  const atHost = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await run(...args, '--state-dir', at('web-7'), '--json')).out) as T;
  const status = () =>
    atHost<{ maintenance: object[]; central: { refused: Record<string, number> } }>('status');

  function configured(hostId: string, central: string): string {
    const lines = [
      `hostId: ${hostId}`,
      `site: ${SITE}`,
      `stateDir: ${at(hostId)}`,
      'learning: { warmup: 1900s, refit: off }',
      central,
      `sinks: [{ type: mqtt, name: broker, url: "${broker}" }]`,
      '',
    ];
    writeFileSync(at(`${hostId}.yaml`), lines.join('\n'));
    return at(`${hostId}.yaml`);
  }

  beforeAll(async () => {
    mosquitto = await startMosquitto();
    broker = `mqtt://127.0.0.1:${mosquitto.port}`;
    writeFileSync(at('root.1.json'), fleet.root);
    const pem = (key = fleet.operatorKey): string =>
      key.private.export({ type: 'pkcs8', format: 'pem' }) as string;
    writeFileSync(at('ops.key'), pem(), { mode: 0o600 });
    writeFileSync(at('other.key'), pem(testKey('other')), { mode: 0o600 });
    writeFileSync(
      at('sealed.key'),
      fleet.operatorKey.private.export({
        type: 'pkcs8',
        format: 'pem',
        cipher: 'aes-256-cbc',
        passphrase: 'drowssap',
      }),
      { mode: 0o600 },
    );
    writeFileSync(at('passphrase'), 'drowssap\n', { mode: 0o600 });
    const past = writeRecording(at('past.csv'), startMs);
    const rows = 400;
    writeFileSync(
      at('live.csv'),
      recordingCsv({
        names: NAMES,
        timesMs: Float64Array.from({ length: rows }, (_, i) => startMs + (ROWS + i) * INTERVAL_MS),
        columns: smallSeries(rows, 6),
        labels: null,
      }),
    );
    const config = configured('web-7', `central: { root: ${at('root.1.json')}, rootSha256: ${fleet.pin} }`);
    const agent = (file: string, pace: string, source = config): Run =>
      started(['agent', '--config', source, '--source', `replay:${file}`, '--pace', pace]);
    expect(await agent(past, 'max').ended).toBe(0);
    await agent(at('live.csv'), 'realtime').logged('central.listening');
    await agent(at('live.csv'), 'realtime', configured('rootless', '')).logged('mqtt.connected');
    const alerts = await atHost<{ incidentId: string }[]>('alerts', 'list');
    incident = alerts[0]?.incidentId ?? '';
    expect(incident).not.toBe('');
  }, 120_000);

  afterAll(async () => {
    for (const { child } of running) child.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    await mosquitto?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('samples: what the host has seen, cell by cell, and `train` reads it', async () => {
    const out = at('samples');
    const asked = await command('samples', 'web-7', '--from', '2h', '--out', out);
    expect(asked).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^✓ lab\/web-7: \d+ samples in .*web-7\.csv\n$/),
    });
    expect(readdirSync(out)).toEqual(['web-7.csv']);
    const [head, ...lines] = readFileSync(join(out, 'web-7.csv'), 'utf8').trimEnd().split('\n');
    expect(head).toBe(`timestamp,${NAMES.join(',')}`);
    const recorded = readFileSync(at('past.csv'), 'utf8').trimEnd().split('\n').slice(1);
    const cells = (line: string): (number | string)[] => {
      const [time = '', ...values] = line.split(',');
      return [time.includes('T') ? Date.parse(time) / 1000 : Number(time), ...values];
    };
    expect(lines.slice(0, ROWS).map(cells)).toEqual(recorded.map(cells));
    const registry = at('registry');
    const trained = await run('train', join(out, 'web-7.csv'), '--name', 'web', '--registry', registry);
    expect(trained).toMatchObject({ code: 0, out: expect.stringMatching(/✓ registered {2}web@1: /) });
    // Only what was asked for.
    const some = [startMs + 10 * INTERVAL_MS, startMs + 20 * INTERVAL_MS].map((ms) =>
      new Date(ms).toISOString(),
    );
    const few = await command(
      'samples',
      `${SITE}/web-7`,
      '--from',
      some[0] as string,
      '--to',
      some[1] as string,
      '--out',
      at('few'),
      '--json',
    );
    expect(JSON.parse(few.out)).toEqual({
      site: SITE,
      hostId: 'web-7',
      fault: null,
      rows: 10,
      path: join(at('few'), 'web-7.csv'),
    });
  });

  test('a snooze is seen at the host, and ends; the same envelope again is refused and counted', async () => {
    const operator = await connectAsync(broker, { protocolVersion: 5 });
    try {
      const sent: { topic: string; payload: Buffer }[] = [];
      operator.on('message', (topic, payload) => sent.push({ topic, payload }));
      const topics = agentTopics(SITE, 'web-7');
      await operator.subscribeAsync(topics.command('snooze'), { qos: 1 });
      const asked = await command('snooze', 'web-7', '--for', '2h', '--reason', 'disk swap');
      expect(asked).toMatchObject({ code: 0, out: '✓ lab/web-7: no alerts for 2h\n' });
      expect((await status()).maintenance).toEqual([
        expect.objectContaining({ kind: 'snooze', name: 'disk swap' }),
      ]);
      expect((await run('status', '--state-dir', at('web-7'))).out).toMatch(/snoozed: disk swap/);
      const [first] = sent;
      expect(await command('snooze', 'web-7', '--end')).toMatchObject({
        code: 0,
        out: '✓ lab/web-7: alerts are raised again\n',
      });
      expect((await status()).maintenance).toEqual([]);
      for (let i = 0; i < 3; i++)
        await operator.publishAsync(first?.topic as string, first?.payload as Buffer, { qos: 1 });
      // To another host's topic, and as another command.
      await operator.publishAsync(topics.command('self-test'), first?.payload as Buffer, { qos: 1 });
      // Answered behind them: the broker keeps their order.
      expect((await command('self-test', 'web-7')).code).toBe(0);
      const { maintenance, central } = await status();
      expect([maintenance, central.refused]).toEqual([[], { replayed: 3, unknownCommand: 1 }]);
    } finally {
      await operator.endAsync(true);
    }
  });

  test('a verdict on a real incident is seen there; a key may be encrypted', async () => {
    const sealed = [
      '--root',
      at('root.1.json'),
      '--key',
      at('sealed.key'),
      '--passphrase-file',
      at('passphrase'),
    ];
    const asked = await run(
      'fleet',
      'verdict',
      'web-7',
      incident.slice(0, 8),
      'false',
      '--note',
      'backup',
      ...sealed,
    );
    expect(asked).toMatchObject({ code: 0, out: `✓ lab/web-7: ${incident}: false\n` });
    expect(await atHost('alerts', 'show', incident)).toMatchObject({
      verdict: { verdict: 'false', note: 'backup' },
    });
    // The host says no.
    expect(await command('verdict', 'web-7', 'ffff', 'true')).toMatchObject({
      code: 1,
      out: '✗ lab/web-7: failed: id: no incident, or more than one, begins so\n',
    });
  });

  test('self-test; hosts that keep silent are named, those without a root among them', async () => {
    const asked = await command('self-test', 'web-7', 'rootless', 'nobody', '--timeout', '3s');
    expect(asked.code).toBe(3);
    expect(asked.out.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(/^✓ lab\/web-7: watching, .*samples \d+/),
      '✗ lab/nobody: no answer within 3 s',
      '✗ lab/rootless: no answer within 3 s',
    ]);
    expect(asked.err).toMatch(
      /no answer from lab\/rootless, lab\/nobody|no answer from lab\/nobody, lab\/rootless/,
    );
    expect(asked.err).toMatch(/no root \(central\.root\)/);
  });

  test('what no host would carry out is not sent', async () => {
    const operator = await connectAsync(broker, { protocolVersion: 5 });
    try {
      const sent: string[] = [];
      operator.on('message', (topic) => sent.push(topic));
      await operator.subscribeAsync(`edgewood/1/${SITE}/a/+/cmd/+`, { qos: 1 });
      const other = ['--root', at('root.1.json'), '--key', at('other.key')];
      expect(await run('fleet', 'self-test', 'web-7', ...other)).toMatchObject({
        code: 2,
        err: expect.stringMatching(
          /other\.key \([0-9a-f]{8}\) may not sign self-test commands: the root names operator/,
        ),
      });
      expect(await run('fleet', 'self-test', 'web-7', '--root', at('root.1.json'))).toMatchObject({
        code: 2,
        err: expect.stringMatching(/--key FILE/),
      });
      for (const [args, says] of [
        [['snooze', 'web-7'], /--for 2h/],
        [['snooze', 'web-7', '--for', '25h'], /up to 24h/],
        [['self-test', 'a/b/c'], /expected HOST or SITE\/HOST/],
        [['self-test', 'web+'], /is no host/],
        [['samples', 'web-7'], /where to/],
        [['samples', 'web-7', '--from', '1h', '--to', '2h', '--out', at('none')], /before --to/],
      ] as const)
        expect(await command(...args)).toMatchObject({ code: 2, err: expect.stringMatching(says) });
      expect(sent).toEqual([]);
    } finally {
      await operator.endAsync(true);
    }
  });
});
