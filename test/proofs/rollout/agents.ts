import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Run, runExecutable } from '../../support/executable.ts';
import { SITE } from '../../support/rollout-scene.ts';
import { smallSeries } from '../../support/series.ts';
import { Feed } from './feed.ts';

const HISTORY_ROWS = 1500;
const LIVE_ROWS = 18_000;
export const INTERVAL_MS = 200;

/** A packaged agent with five minutes of history and a model of its own; its samples go on from there, five a second. */
export interface RealAgent {
  readonly hostId: string;
  readonly feed: Feed;
  /** Holds its connection, and does nothing until it is resumed. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export async function startAgent(
  index: number,
  about: {
    readonly directory: string;
    readonly port: number;
    readonly rootPath: string;
    readonly pin: string;
    readonly seed: number;
  },
): Promise<RealAgent> {
  const hostId = `real-${index}`;
  const home = join(about.directory, hostId);
  mkdirSync(home, { recursive: true });
  const seed = about.seed + 300 + index;
  const columns = smallSeries(HISTORY_ROWS + LIVE_ROWS, seed);
  const startMs = Date.now() - HISTORY_ROWS * INTERVAL_MS;
  const rows = Array.from({ length: HISTORY_ROWS }, (_, i) =>
    [new Date(startMs + i * INTERVAL_MS).toISOString(), ...columns.map((column) => column[i])].join(','),
  );
  const [past, live] = [join(home, 'past.csv'), join(home, 'live.csv')];
  writeFileSync(past, ['timestamp,cpu,memory,network,swap', ...rows, ''].join('\n'));
  const config = join(home, 'agent.yaml');
  writeFileSync(
    config,
    [
      `hostId: ${hostId}`,
      `site: ${SITE}`,
      'labels: { kind: real }',
      `stateDir: ${join(home, 'state')}`,
      'learning: { warmup: 2m, refit: off }',
      `central: { root: ${about.rootPath}, rootSha256: ${about.pin}, model: host }`,
      'sinks:',
      `  - { type: mqtt, name: broker, url: "mqtt://127.0.0.1:${about.port}" }`,
      '',
    ].join('\n'),
  );
  const agent = (file: string, pace: string): Run =>
    runExecutable(['agent', '--config', config, '--source', `replay:${file}`, '--pace', pace]);
  const ended = agent(past, 'max');
  const code = await ended.ended;
  if (code !== 0) throw new Error(`${hostId} ended with ${code}: ${ended.stderr()}`);
  const feed = new Feed(live, { seed, fromRow: HISTORY_ROWS, rows: LIVE_ROWS }, INTERVAL_MS);
  const run = agent(live, 'realtime');
  await Promise.race([
    run.logged('central.listening'),
    run.ended.then(() => Promise.reject(new Error(`${hostId} ended: ${run.stderr()}`))),
  ]);
  return {
    hostId,
    feed,
    pause: () => void run.child.kill('SIGSTOP'),
    resume: () => void run.child.kill('SIGCONT'),
    stop: async () => {
      run.child.kill('SIGCONT');
      feed.close();
      run.child.kill('SIGTERM');
      await run.ended;
    },
  };
}
