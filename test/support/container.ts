import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** A Debian root booted with its own systemd: systemd-nspawn(1), with a network of its own. */

const BOOT_DEADLINE_MS = 120_000;

/** Why no container can be booted here; null where one can. */
export function noContainers(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  for (const tool of ['debootstrap', 'systemd-nspawn', 'nsenter', 'dpkg-deb']) {
    if (spawnSync('which', [tool]).status !== 0) return `no ${tool}`;
  }
  return null;
}

/** Fills a directory with a small Debian 12 (about 250 MB, from debootstrap's own mirror or EDGEWOOD_DEBIAN_MIRROR). */
export function debootstrap(directory: string, packages: readonly string[]): void {
  const mirror = process.env['EDGEWOOD_DEBIAN_MIRROR'];
  execFileSync(
    'debootstrap',
    [
      '--variant=minbase',
      `--include=${packages.join(',')}`,
      'bookworm',
      directory,
      ...(mirror === undefined ? [] : [mirror]),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

export interface Ran {
  readonly code: number;
  readonly out: string;
}

export class Container {
  readonly directory: string;
  #nspawn: ChildProcess | null = null;
  #leader = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Resolves when systemd says that it is up (or degraded, where some unit can't run in a container). */
  async boot(): Promise<void> {
    const child = spawn(
      'systemd-nspawn',
      ['-q', '--register=no', '--keep-unit', '--private-network', '-b', '-D', this.directory],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4000);
      });
    }
    this.#nspawn = child;
    const end = performance.now() + BOOT_DEADLINE_MS;
    for (;;) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`no boot: ${said}`);
      const children = `/proc/${child.pid}/task/${child.pid}/children`;
      this.#leader = existsSync(children) ? Number(readFileSync(children, 'utf8').trim().split(' ')[0]) : 0;
      if (this.#leader > 0) {
        const { out } = this.run('systemctl is-system-running');
        if (/^(running|degraded)/.test(out)) return;
      }
      await setTimeout(200);
    }
  }

  /** A shell line inside, as root. */
  run(line: string, timeoutMs = 180_000): Ran {
    const { status, stdout, stderr } = spawnSync(
      'nsenter',
      ['-t', String(this.#leader), '-m', '-u', '-i', '-n', '-p', '--', '/bin/sh', '-c', line],
      {
        encoding: 'utf8',
        timeout: timeoutMs,
        env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb' },
      },
    );
    return { code: status ?? -1, out: `${stdout}${stderr}`.trim() };
  }

  async until(line: string, holds: (ran: Ran) => boolean, timeoutMs = 60_000): Promise<Ran> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const ran = this.run(line);
      if (holds(ran)) return ran;
      if (performance.now() > end) throw new Error(`${line}: ${ran.out}`);
      await setTimeout(200);
    }
  }

  async powerOff(): Promise<void> {
    const child = this.#nspawn;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    this.run('systemctl poweroff --no-block');
    await Promise.race([gone, setTimeout(60_000, undefined, { ref: false })]);
    child.kill('SIGKILL');
    await gone;
    this.#nspawn = null;
  }
}
