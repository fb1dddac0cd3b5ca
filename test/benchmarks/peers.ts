import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/mosquitto.ts';

/**
 * Monitors of other makers, as Debian packages them: each configured to look once a second at what edgewood looks at,
 * and to hand it on.
 */
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** What reads it, once a second; without one it sends by itself. */
  readonly scrape?: string;
}

const COLLECTD_PLUGINS = ['cpu', 'memory', 'swap', 'load', 'interface', 'disk', 'df'];

/** Those installed here. @param work a folder for their files */
export async function installedPeers(work: string, mqttPort: number): Promise<Peer[]> {
  const peers = [
    await nodeExporter(),
    collectd(join(work, 'collectd'), mqttPort),
    await netdata(join(work, 'netdata')),
  ];
  return peers.filter((peer) => peer !== null);
}

async function nodeExporter(): Promise<Peer | null> {
  const binary = '/usr/bin/prometheus-node-exporter';
  if (!existsSync(binary)) return null;
  const port = await freePort();
  return {
    name: 'node_exporter, scraped each second',
    version: versionOf('prometheus-node-exporter'),
    binary,
    args: [`--web.listen-address=127.0.0.1:${port}`],
    scrape: `http://127.0.0.1:${port}/metrics`,
  };
}

function collectd(directory: string, mqttPort: number): Peer | null {
  const binary = '/usr/sbin/collectd';
  if (!existsSync(binary)) return null;
  mkdirSync(directory);
  const configuration = join(directory, 'collectd.conf');
  const lines = [
    'Interval 1',
    `BaseDir "${directory}"`,
    `PIDFile "${join(directory, 'pid')}"`,
    ...COLLECTD_PLUGINS.map((plugin) => `LoadPlugin ${plugin}`),
    'LoadPlugin mqtt',
    '<Plugin mqtt>',
    '  <Publish "broker">',
    '    Host "127.0.0.1"',
    `    Port ${mqttPort}`,
    '    Prefix "collectd"',
    '  </Publish>',
    '</Plugin>',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  return {
    name: 'collectd, to MQTT',
    version: versionOf('collectd-core'),
    binary,
    args: ['-f', '-C', configuration],
  };
}

async function netdata(directory: string): Promise<Peer | null> {
  const binary = '/usr/sbin/netdata';
  if (!existsSync(binary)) return null;
  const folders = ['cache', 'lib', 'log'].map((name) => join(directory, name));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const configuration = join(directory, 'netdata.conf');
  const [cache, lib, log] = folders;
  const lines = [
    '[directories]',
    `  cache = ${cache}`,
    `  lib = ${lib}`,
    `  log = ${log}`,
    '[web]',
    '  bind to = 127.0.0.1',
    `  default port = ${await freePort()}`,
    '[global]',
    '  run as user = root',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  return {
    name: 'netdata, as it comes',
    version: versionOf('netdata-core'),
    binary,
    args: ['-D', '-c', configuration, '-P', join(directory, 'pid')],
  };
}

const versionOf = (debianPackage: string): string =>
  spawnSync('dpkg-query', ['-W', '-f', `\${Version}`, debianPackage], { encoding: 'utf8' }).stdout.trim();
