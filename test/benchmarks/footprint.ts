/**
 * `npm run bench:footprint [--minutes 20]`: memory and CPU of the packaged agent, sampling each second with its default
 * features and a model it learned itself in the first minute. In the same run, side by side: the agent without a sink and
 * with each kind of sink (what a sink adds), the agent on systeminformation, a bare Node with a timer, and the peers that
 * are installed here (Debian packages prometheus-node-exporter, collectd-core with libmosquitto1, netdata-core). Each
 * agent is a file of its own, since PSS shares what processes map together. What a process starts is counted with it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { circumstances, numberArgument, writeResult } from '../proofs/proof.ts';
import { hasVictoriaMetrics, startVictoriaMetrics } from '../support/daemons.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { type Usage, usageOf } from '../support/usage.ts';
import { installedPeers } from './peers.ts';

const SAMPLE_EVERY_MS = 60_000;

const AGENT = 'agent, MQTT and InfluxDB';
const NO_SINK = 'agent, no sink';
const ONE_SINK = { MQTT: 'agent, MQTT', InfluxDB: 'agent, InfluxDB' };

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasVictoriaMetrics) {
    console.error('bench:footprint: mosquitto or victoria-metrics is not installed (Debian packages)');
    return 3;
  }
  const minutes = numberArgument('minutes', 20);
  const work = mkdtempSync(join(tmpdir(), 'edgewood-footprint-'));
  const mosquitto = await startMosquitto();
  const victoria = await startVictoriaMetrics();
  const children = new Map<string, ChildProcess>();
  const versions: Record<string, string> = {};
  const scraping = new AbortController();
  const mqtt = ['--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`];
  const influx = ['--influx', victoria.url];
  try {
    children.set(NO_SINK, startAgent(join(work, 'none'), []));
    children.set(ONE_SINK.MQTT, startAgent(join(work, 'mqtt'), mqtt));
    children.set(ONE_SINK.InfluxDB, startAgent(join(work, 'influx'), influx));
    children.set(AGENT, startAgent(join(work, 'both'), [...mqtt, ...influx]));
    children.set(
      `${AGENT}, on systeminformation`,
      startAgent(join(work, 'portable'), [...mqtt, ...influx, '--source', 'systeminformation']),
    );
    children.set(
      'bare Node, a timer',
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }),
    );
    for (const { name, version, binary, args, scrape } of await installedPeers(work, mosquitto.port)) {
      children.set(name, spawn(binary, args, { stdio: 'ignore' }));
      versions[name] = version;
      if (scrape !== undefined) void scrapeEachSecond(scrape, scraping.signal);
    }
    const series = new Map<string, Usage[]>([...children.keys()].map((name) => [name, []]));
    for (let minute = 1; minute <= minutes; minute++) {
      await sleep(SAMPLE_EVERY_MS);
      for (const [name, child] of children) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} has ended`);
        series.get(name)?.push(usageOf(child.pid as number));
      }
      const now = series.get(AGENT)?.at(-1);
      console.error(
        `${minute} min: PSS ${now?.pssMb.toFixed(1)} MB, Pss_Anon ${now?.pssAnonMb.toFixed(1)} MB`,
      );
    }
    return report(minutes, series, versions);
  } finally {
    scraping.abort();
    for (const child of children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    await victoria.stop();
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function startAgent(file: string, options: readonly string[]): ChildProcess {
  copyFileSync(EXECUTABLE, file);
  // Out of the page cache, as after a boot: a file just written lies there in large pieces, and each page that is
  // touched maps a whole one.
  spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
  const args = ['--interval', '1s', '--warmup', '1m', '--state-dir', `${file}-state`, '--log-format', 'json'];
  return spawn(file, ['agent', ...args, ...options], { stdio: 'ignore', env: {} });
}

async function scrapeEachSecond(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // Until it listens, there is nothing to read.
    await fetch(url, { signal }).then(
      (response) => response.text(),
      () => '',
    );
    await sleep(1000);
  }
}

interface Row extends Usage {
  readonly name: string;
  readonly version?: string | undefined;
  readonly cpuPercent: number;
  readonly mostChildren: number;
}

function report(
  minutes: number,
  series: ReadonlyMap<string, readonly Usage[]>,
  versions: Readonly<Record<string, string>>,
): number {
  const rows = [...series].map(([name, usages]): Row => {
    const last = usages.at(-1) as Usage;
    // From the second minute on: the first has start and learning in it.
    const first = Math.min(1, usages.length - 1);
    const seconds = ((usages.length - 1 - first) * SAMPLE_EVERY_MS) / 1000;
    const cpuPercent = (100 * (last.cpuSeconds - (usages[first] as Usage).cpuSeconds)) / seconds;
    const mostChildren = Math.max(...usages.map(({ children }) => children));
    return { name, version: versions[name], ...last, cpuPercent, mostChildren };
  });
  console.log(`${`after ${minutes} min`.padEnd(44)} PSS MB  Pss_Anon  VmHWM  CPU % of a core  children`);
  for (const row of rows) {
    console.log(
      `${row.name.padEnd(44)} ${row.pssMb.toFixed(1).padStart(6)} ${row.pssAnonMb.toFixed(1).padStart(9)} ${row.peakRssMb.toFixed(0).padStart(6)} ${row.cpuPercent.toFixed(2).padStart(16)} ${String(row.mostChildren).padStart(9)}`,
    );
  }
  const row = (name: string): Row => rows.find((one) => one.name === name) as Row;
  const sinks = Object.entries(ONE_SINK).map(([sink, name]) => ({
    sink,
    pssMb: row(name).pssMb - row(NO_SINK).pssMb,
    pssAnonMb: row(name).pssAnonMb - row(NO_SINK).pssAnonMb,
    cpuPercent: row(name).cpuPercent - row(NO_SINK).cpuPercent,
  }));
  for (const { sink, pssMb, pssAnonMb, cpuPercent } of sinks)
    console.log(
      `${sink} adds ${pssMb.toFixed(1)} MB PSS, ${pssAnonMb.toFixed(1)} MB Pss_Anon, ${cpuPercent.toFixed(2)} % of a core`,
    );
  const file = writeResult('benchmarks', 'footprint', {
    ...circumstances(),
    command: 'npm run bench:footprint',
    minutes,
    intervalMs: 1000,
    rows,
    sinks,
    pssMbByMinute: series.get(AGENT)?.map(({ pssMb }) => Number(pssMb.toFixed(2))),
  });
  console.log(file);
  return 0;
}
