import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The packaged executable. In CI a missing one is a failure, not a skip. */
export const EXECUTABLE =
  process.env['EDGEWOOD_EXECUTABLE'] ?? join(import.meta.dirname, '..', '..', 'dist', 'edgewood-linux-x64');
export const hasExecutable = existsSync(EXECUTABLE) || process.env['CI'] === 'true';

export interface Run {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  /** Resolves when a line of stderr holds the text. */
  logged(text: string): Promise<void>;
}

/**
 * Starts the executable with nothing of this environment but the path.
 * @param behind a command line that starts it, e.g. a tracer's
 */
export function runExecutable(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  behind: readonly string[] = [],
): Run {
  const [program = EXECUTABLE, ...rest] = [...behind, EXECUTABLE, ...args];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // An agent of this machine's own may have its configuration in /etc.
    env: { PATH: process.env['PATH'] ?? '', EDGEWOOD_CONFIG: '', ...env },
  });
  let stdout = '';
  let stderr = '';
  const watching: (() => void)[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    for (const look of watching) look();
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended: new Promise((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
    ),
    logged: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (stderr.includes(text)) resolve();
        };
        watching.push(look);
        look();
      }),
  };
}
