import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** Debian's Python, which its packages python3-sklearn and python3-pandas belong to. */
export const PYTHON = process.env['EDGEWOOD_PYTHON'] ?? '/usr/bin/python3';

/** One thread, as ours. */
export const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };

/** Ends the benchmark with a word where a peer is not installed: a comparison with nothing is none. */
export function needPython(module: string, debianPackage: string): void {
  if (spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0) return;
  console.error(
    `${PYTHON} can't import ${module}: apt-get install ${debianPackage} (or set EDGEWOOD_PYTHON)`,
  );
  process.exit(2);
}

export interface Seconds {
  readonly wall: number;
  readonly cpu: number;
}

/** A peer that stays: it is asked in turns with ours, so that both see the same machine. */
export class PythonPeer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(PYTHON, [join(import.meta.dirname, 'peers', script), ...args], {
      env: { ...process.env, ...ONE_THREAD },
    });
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.#child.stdout);
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** The next answer; the first is who it is. */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the Python peer ended early');
    return JSON.parse(value) as T;
  }

  ask<T = Seconds>(question: string): Promise<T> {
    this.#child.stdin.write(`${question}\n`);
    return this.answer<T>();
  }

  close(): void {
    this.#child.stdin.end();
    this.#lines.close();
  }
}

/** Of synchronous work in this process. */
export function timed(work: () => unknown): Seconds {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (performance.now() - wall) / 1000, cpu: (user + system) / 1e6 };
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;

export const mediansOf = (all: readonly Seconds[]): Seconds => ({
  wall: median(all.map(({ wall }) => wall)),
  cpu: median(all.map(({ cpu }) => cpu)),
});

/** How many times longer the peer took: medians over the pairs, which were measured in turns. */
export const ratiosOf = (peer: readonly Seconds[], own: readonly Seconds[]): Seconds => ({
  wall: median(peer.map(({ wall }, i) => wall / (own[i] as Seconds).wall)),
  cpu: median(peer.map(({ cpu }, i) => cpu / (own[i] as Seconds).cpu)),
});
