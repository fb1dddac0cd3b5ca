import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { resolveConfig } from '../../agent/config/config.ts';
import { createLog } from '../../agent/log.ts';
import { startAgent } from '../../agent/run.ts';
import type { AlertData } from '../../core/protocol/events.ts';
import { alertPage } from '../alert-view.ts';
import { startBroker, subscribeAlerts } from '../demo/broker.ts';
import { DemoView } from '../demo/view.ts';
import { Exit } from '../errors.ts';
import { BUILD } from '../version.ts';
import { type AgentStatus, useColour } from './status.ts';

export interface DemoOptions {
  readonly learn: number;
  readonly load: number;
  readonly json: boolean;
}

const INTERVAL_MS = 500;
const LIMIT_MS = 60_000;

/** Everything on this host: broker, agent on live metrics, subscriber, a real load, the alert, its end. */
export async function run(args: DemoOptions): Promise<number> {
  const start = performance.now();
  const colour = useColour();
  const view = new DemoView({
    write: (text) => process.stdout.write(text),
    live: process.stdout.isTTY === true,
    colour,
    elapsedMs: () => performance.now() - start,
  });
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-demo-'));
  const loads: ChildProcess[] = [];
  const endLoads = (): void => {
    for (const load of loads) load.kill('SIGKILL');
  };
  const cleanUp = (): void => {
    endLoads();
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      view.close();
      cleanUp();
      process.kill(process.pid, signal);
    });
  }

  const broker = await startBroker();
  view.tell(`A broker listens on 127.0.0.1:${broker.port} (embedded, for this demo only).`);
  const config = resolveConfig([
    {
      values: new Map<string, unknown>([
        ['interval', INTERVAL_MS],
        ['site', 'demo'],
        ['stateDir', directory],
        ['network.include', ['*']],
        ['learning.warmup', args.learn * 1000],
        ['learning.refit', 'off'],
        ['budget.info', 6 * 24],
        ['budget.warning', (6 * 24) / 7],
        ['budget.critical', (6 * 24) / 30.4375],
        ['log.level', 'error'],
      ]),
      sinks: [{ type: 'mqtt', name: 'demo broker', url: `mqtt://127.0.0.1:${broker.port}` }],
    },
  ]);
  view.tell(
    [
      'The agent watches this host with its production detector and gates; only durations are shorter:',
      `  a sample every ${INTERVAL_MS / 1000} s (5 s), first model after ${args.learn} s (15 min), alert budget one in 10 min (a day).`,
      '  Loopback traffic counts here, so that the network load need not leave the host (it does not count otherwise).',
    ].join('\n'),
  );
  const alerts: AlertData[] = [];
  let wake = (): void => {};
  const subscriber = await subscribeAlerts(broker.port, (alert) => {
    alerts.push(alert);
    wake();
  });
  view.tell('A subscriber waits on edgewood/1/demo/a/+/alert/+.');
  const log = createLog({
    level: () => 'error',
    pretty: true,
    colour,
    nowMs: Date.now,
    write: (line) => view.tell(line.trimEnd()),
  });
  const agent = await startAgent(config, { version: BUILD.version, log });
  const ticker = setInterval(() => view.show(agent.status() as AgentStatus), INTERVAL_MS);

  /** Waits for a condition on each alert and each tick; false at the limit. */
  const until = async (condition: () => boolean, limitMs: number): Promise<boolean> => {
    const end = performance.now() + limitMs;
    while (!condition()) {
      if (performance.now() >= end) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  };
  const state = (): AgentStatus['state'] => (agent.status() as AgentStatus).state;
  const finish = async (code: number, word: string): Promise<number> => {
    clearInterval(ticker);
    endLoads();
    view.close();
    await agent.stop();
    await subscriber.close();
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
    view.tell(word);
    return code;
  };

  if (!(await until(() => state() !== 'warming-up', args.learn * 1000 + LIMIT_MS))) {
    return finish(Exit.checkSaysNo, 'No model was learned in time; is this host too slow? Try --learn 60.');
  }
  const model = (agent.status() as AgentStatus).model;
  view.tell(`Learned what is normal here, from ${model?.rows} samples. Watching.`);
  await until(() => false, 4000);
  if (state() === 'incident') {
    view.tell('This host did something unusual by itself; waiting for that to pass.');
    await until(() => state() !== 'incident', LIMIT_MS);
  }
  const before = alerts.length;
  const megabytes = Math.round(Math.min(1024, (freemem() / 1e6) * 0.4, (totalmem() / 1e6) * 0.25));
  view.tell(
    `Now a real load for ${args.load} s: all ${availableParallelism()} processors, ${megabytes} MB of memory, about 20 MB/s over loopback.`,
  );
  const entry = isSea() ? [] : [...process.execArgv, process.argv[1] as string];
  const load = (kind: string): ChildProcess =>
    spawn(
      process.execPath,
      [...entry, 'demo-load', kind, '--seconds', String(args.load), '--megabytes', String(megabytes)],
      {
        stdio: 'ignore',
      },
    );
  for (let i = 0; i < availableParallelism(); i++) loads.push(load('cpu'));
  loads.push(load('memory'), load('network'));

  const opened = (): AlertData | undefined => alerts.slice(before).find((alert) => alert.state === 'opened');
  if (!(await until(() => opened() !== undefined, args.load * 1000 + 10_000))) {
    return finish(
      Exit.checkSaysNo,
      'The load raised no alert: this host was as busy while it was learned. Try again on a quieter one.',
    );
  }
  const alert = opened() as AlertData;
  view.tell(
    `The subscriber has an alert:\n\n${args.json ? JSON.stringify(alert) : alertPage(alert, colour)}\n`,
  );
  const resolved = (): AlertData | undefined =>
    alerts.slice(before).find((other) => other.state === 'resolved' && other.incidentId === alert.incidentId);
  await until(
    () => loads.every((child) => child.exitCode !== null || child.signalCode !== null),
    args.load * 1000 + 5000,
  );
  endLoads();
  view.tell('The load is over.');
  if (!(await until(() => resolved() !== undefined, LIMIT_MS))) {
    return finish(Exit.checkSaysNo, 'The incident did not resolve in time.');
  }
  const end = resolved() as AlertData;
  view.tell(`The subscriber has its end: ${end.explanation.sentence}`);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  return finish(
    Exit.done,
    `Done in ${seconds} s; nothing was left behind. To watch for good: edgewood agent --mqtt mqtt://BROKER`,
  );
}
