import { isSea } from 'node:sea';

/**
 * An agent runs for months, and what only reads the command line (yargs) would stay in its memory: 3 MB PSS, 1.8 of
 * them anonymous. So the process replaces its own image once by a fresh one (execve: same process id, same standard
 * streams, same environment) that finds the options already read.
 */
const VARIABLE = 'EDGEWOOD_HANDED_OVER';

/** Doesn't return where it succeeds; returns where this is no packaged executable, or the system refuses. */
export function handOver(options: unknown): void {
  if (!isSea() || process.execve === undefined) return;
  const words = [process.argv0, ...process.argv.slice(2)];
  // Under the process id, so that what a parent left in the environment isn't mistaken for it.
  const value = `${process.pid} ${JSON.stringify(options)}`;
  try {
    process.execve(process.execPath, words, { ...process.env, [VARIABLE]: value });
  } catch {
    // A sandbox may forbid it, and the file may be gone: an agent that is 3 MB heavier is better than none.
  }
}

/** What the image before has read, once; undefined where there was none. */
export function handedOver<Options>(): Options | undefined {
  const [pid, json] = process.env[VARIABLE]?.split(/ (.*)/s) ?? [];
  delete process.env[VARIABLE];
  return json !== undefined && pid === String(process.pid) ? (JSON.parse(json) as Options) : undefined;
}
