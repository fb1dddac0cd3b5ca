import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { Random } from '../../core/random.ts';
import { ONE_THREAD, type Seconds } from './python-peer.ts';

/** A host of three metrics, a row each five seconds; deterministic. */
export async function writeCsv(path: string, rows: number, kind: 'epoch' | 'iso' = 'epoch'): Promise<string> {
  const out = createWriteStream(path);
  const random = new Random(1);
  let lines = 'timestamp,cpu,memory,network\n';
  let memory = 50;
  for (let i = 0; i < rows; i++) {
    const second = 1_700_000_000 + 5 * i;
    const time = kind === 'epoch' ? second : new Date(second * 1000).toISOString();
    memory = Math.min(99, Math.max(1, memory + 0.1 * (random.float() - 0.5)));
    const cpu = 20 + 40 * random.float() * random.float();
    lines += `${time},${cpu.toFixed(2)},${memory.toFixed(2)},${(1e6 * random.float() ** 3).toFixed(1)}\n`;
    if (lines.length > 1 << 20) {
      if (!out.write(lines)) await new Promise((resolve) => out.once('drain', resolve));
      lines = '';
    }
  }
  out.end(lines);
  await finished(out);
  return path;
}

/** CPU time and peak memory are the kernel's own account of the child, as `time -v` prints it. */
export async function run(
  file: string,
  args: readonly string[],
): Promise<{ out: string; seconds: Seconds; peakBytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'edgewood-usage-'));
  const usage = join(folder, 'usage');
  const child = spawn('/usr/bin/time', ['-o', usage, '-f', '%e %U %S %M', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...ONE_THREAD },
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const started = performance.now();
  const code = await new Promise((resolve) => child.once('close', resolve));
  const wall = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  const [, user, system, kilobytes] = readFileSync(usage, 'utf8').trim().split(' ').map(Number);
  rmSync(folder, { recursive: true });
  return { out, seconds: { wall, cpu: (user ?? 0) + (system ?? 0) }, peakBytes: (kilobytes ?? 0) * 1024 };
}
