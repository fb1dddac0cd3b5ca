import { countCpus } from './cpu.ts';
import { type Family, position, REFRESH_MS, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { Scanner } from './scan.ts';

/** The 1-minute average of /proc/loadavg, or NaN. */
export function parseLoad(text: string): number {
  const scan = new Scanner(text);
  const whole = scan.number();
  if (text.charCodeAt(scan.at) !== 46) return Number.NaN;
  const start = ++scan.at;
  const fraction = scan.number();
  return whole + fraction / 10 ** (scan.at - start);
}

const LOAD = position('load');

export class LoadFamily implements Family {
  readonly name = 'load';
  readonly #file: ProcFile;
  readonly #stat: ProcFile;
  #cpus = 1;
  #countedMs = Number.NEGATIVE_INFINITY;

  constructor(root: string) {
    this.#file = new ProcFile(`${root}/loadavg`, 128);
    this.#stat = new ProcFile(`${root}/stat`);
  }

  read({ values, nowMs }: Reading): void {
    if (nowMs - this.#countedMs >= REFRESH_MS) {
      this.#cpus = countCpus(this.#stat.read());
      this.#stat.close();
      this.#countedMs = nowMs;
    }
    const load = parseLoad(this.#file.read());
    if (Number.isNaN(load)) throw new Error(`${this.#file.path} has no load average`);
    values[LOAD] = load / this.#cpus;
  }

  close(): void {
    this.#file.close();
    this.#stat.close();
  }
}
