import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Run, runExecutable } from '../../support/executable.ts';
import { SITE } from '../../support/rollout-scene.ts';
import { smallSeries } from '../../support/series.ts';

const HISTORY_ROWS = 1500;
const LIVE_ROWS = 3600;
export const INTERVAL_MS = 1000;

/** A packaged agent with half an hour of history and a model of its own; its samples go on from there, one a second. */
export interface RealAgent {
  readonly hostId: string;
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
  },
): Promise<RealAgent> {
  const hostId = `real-${index}`;
  const home = join(about.directory, hostId);
  mkdirSync(home, { recursive: true });
  const nowMs = Date.now();
  const columns = smallSeries(HISTORY_ROWS + LIVE_ROWS, 300 + index);
  const csv = (from: number, to: number, startMs: number): string =>
    [
      'timestamp,cpu,memory,network,swap',
      ...Array.from({ length: to - from }, (_, i) =>
        [
          new Date(startMs + i * INTERVAL_MS).toISOString(),
          ...columns.map((column) => column[from + i]),
        ].join(','),
      ),
      '',
    ].join('\n');
  const [past, live] = [join(home, 'past.csv'), join(home, 'live.csv')];
  writeFileSync(past, csv(0, HISTORY_ROWS, nowMs - HISTORY_ROWS * INTERVAL_MS));
  writeFileSync(live, csv(HISTORY_ROWS, HISTORY_ROWS + LIVE_ROWS, nowMs));
  const config = join(home, 'agent.yaml');
  writeFileSync(
    config,
    [
      `hostId: ${hostId}`,
      `site: ${SITE}`,
      'labels: { kind: real }',
      `stateDir: ${join(home, 'state')}`,
      'learning: { warmup: 10m, refit: off }',
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
  const run = agent(live, 'realtime');
  await Promise.race([
    run.logged('central.listening'),
    run.ended.then(() => Promise.reject(new Error(`${hostId} ended: ${run.stderr()}`))),
  ]);
  return {
    hostId,
    pause: () => void run.child.kill('SIGSTOP'),
    resume: () => void run.child.kill('SIGCONT'),
    stop: async () => {
      run.child.kill('SIGCONT');
      run.child.kill('SIGTERM');
      await run.ended;
    },
  };
}
