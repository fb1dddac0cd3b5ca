import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './mosquitto.ts';

/** Real servers that sinks deliver to: Debian packages victoria-metrics and prometheus-alertmanager. */

const inCi = ![undefined, '', 'false', '0'].includes(process.env['CI']);
const find = (name: string): string | undefined =>
  ['/usr/bin', '/usr/local/bin'].map((folder) => join(folder, name)).find((path) => existsSync(path));
const VICTORIA_METRICS = find('victoria-metrics');
const ALERTMANAGER = find('prometheus-alertmanager');
/** In CI a missing server is a failure, not a skip. */
export const hasVictoriaMetrics = VICTORIA_METRICS !== undefined || inCi;
export const hasAlertmanager = ALERTMANAGER !== undefined || inCi;

export interface Daemon {
  readonly port: number;
  readonly url: string;
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

async function daemon(
  binary: string | undefined,
  name: string,
  ready: string,
  args: (port: number, directory: string) => readonly string[],
): Promise<Daemon> {
  if (binary === undefined) throw new Error(`${name} is not installed (Debian package ${name})`);
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), `edgewood-${name}-`));
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess;
  const launch = async (): Promise<void> => {
    child = spawn(binary, args(port, directory), { stdio: ['ignore', 'ignore', 'pipe'], cwd: directory });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    for (;;) {
      if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
      const up = await fetch(url + ready).then(
        (response) => response.ok,
        () => false,
      );
      if (up) return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  };
  await launch();
  return {
    port,
    url,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
    restart: async () => {
      await kill();
      await launch();
    },
    stop: async () => {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const startVictoriaMetrics = (): Promise<Daemon> =>
  daemon(VICTORIA_METRICS, 'victoria-metrics', '/health', (port, directory) => [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-storageDataPath=${join(directory, 'data')}`,
    '-retentionPeriod=100y',
    '-search.latencyOffset=0s',
    '-memory.allowedBytes=64MB',
  ]);

export const startAlertmanager = (): Promise<Daemon> =>
  daemon(ALERTMANAGER, 'prometheus-alertmanager', '/-/ready', (port, directory) => {
    writeFileSync(join(directory, 'am.yml'), 'route: {receiver: none}\nreceivers: [{name: none}]\n');
    return [
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
      `--config.file=${join(directory, 'am.yml')}`,
      `--storage.path=${join(directory, 'data')}`,
    ];
  });

export interface ExportedSeries {
  readonly metric: Record<string, string>;
  readonly values: number[];
  readonly timestamps: number[];
}

/** What VictoriaMetrics holds, flushed first. */
export async function exported(victoria: Daemon, match: string): Promise<ExportedSeries[]> {
  await fetch(`${victoria.url}/internal/force_flush`);
  // Without an end it stops short of the newest second.
  const end = String(Math.ceil(Date.now() / 1000) + 3600);
  const query = new URLSearchParams({ 'match[]': match, start: '0', end });
  const text = await (await fetch(`${victoria.url}/api/v1/export?${query}`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ExportedSeries);
}
