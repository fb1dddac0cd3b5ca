/**
 * The entry point, and the only file that ends the process. It imports nothing before it has looked at the runtime:
 * under Node 20, better-sqlite3 would crash it instead of saying what is wrong.
 */

const NEEDED_MAJOR = 26;
const EXIT_BAD_INPUT = 2;
const EXIT_BUG = 70;

const found = process.versions.node;
if (Number.parseInt(found, 10) < NEEDED_MAJOR) {
  process.stderr.write(
    `edgewood: needs Node >= ${NEEDED_MAJOR}, found ${found} (${process.execPath}); ` +
      'use the packaged executable, or `npm ci` and `node build/run.mjs cli/main.ts`\n',
  );
  process.exit(EXIT_BAD_INPUT);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
// A reader that has gone (`| head`) is no fault of the command; a closed stderr must not end an agent.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  fail(error);
});
process.stderr.on('error', () => {});

import('./command-line.ts')
  .then(({ runCommandLine }) => runCommandLine(process.argv.slice(2)))
  .then(leave, fail);

/** Waits for stdout, so that a long report into a slow pipe isn't cut. */
function leave(exitCode: number): void {
  process.exitCode = exitCode;
  process.stdout.write('', () => process.exit(exitCode));
}

/** A message quotes names from elsewhere: what a terminal would obey is shown (agent/log.ts, but for the line's end). */
function shown(message: string): string {
  return message.replace(
    /(?!\n)[\p{Cc}\p{Bidi_Control}]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function fail(reason: unknown): void {
  const error = reason instanceof Error ? reason : new Error(String(reason));
  // Whatever carries an exit code is the person's to mend: `UserError` here, and errors of layers below cli/.
  if ('exitCode' in error && typeof error.exitCode === 'number') {
    process.stderr.write(`edgewood: ${shown(error.message)}\n`);
    leave(error.exitCode);
    return;
  }
  const debug = process.env.EDGEWOOD_DEBUG === '1';
  process.stderr.write(
    `edgewood: this is a bug of ours: ${error.name}: ${shown(error.message.split('\n')[0] ?? '')}\n`,
  );
  process.stderr.write(
    debug
      ? `${error.stack ?? ''}\n`
      : 'Please report it with `edgewood --version` and the output of this command under EDGEWOOD_DEBUG=1.\n',
  );
  process.exit(EXIT_BUG);
}
