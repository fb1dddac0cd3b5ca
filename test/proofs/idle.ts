/**
 * `npm run prove:idle [--minutes 60] [--warmup 15] [--seed 1]`: the packaged agent with its defaults on a host that
 * has nothing to do but ordinary background jobs, at seeded random times. After the warm-up at most one incident may
 * open, and none above `info`. Leave the machine alone meanwhile: a build is an anomaly here.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../core/random.ts';
import { EXECUTABLE, runExecutable } from '../support/executable.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

/** What cron, a package manager, a backup and a look by an operator do on any server. */
const JOBS: readonly (readonly [name: string, command: string])[] = [
  ['list files', 'find /usr -xdev -type f | wc -l'],
  ['checksum', `sha256sum ${EXECUTABLE}`],
  ['compress a log', `head -c 20000000 ${EXECUTABLE} | gzip -c | wc -c`],
  ['copy a file', `cp ${EXECUTABLE} "$WORK/copy" && sync "$WORK/copy" && rm "$WORK/copy"`],
  ['list packages', 'dpkg -l | wc -l'],
  ['list processes', 'ps aux | wc -l; df -h; free'],
];
/** Mean time between two jobs. */
const JOB_EVERY_MS = 180_000;

interface Alert {
  readonly state: string;
  readonly severity: string;
  readonly trigger: string;
  readonly openedAt: string;
  readonly explanation: { readonly sentence: string };
}

process.exitCode = await main();

async function main(): Promise<number> {
  const warmupMinutes = numberArgument('warmup', 15);
  const minutes = numberArgument('minutes', 60);
  const seed = numberArgument('seed', 1);
  const work = mkdtempSync(join(tmpdir(), 'edgewood-idle-'));
  const run = runExecutable([
    'agent',
    '--warmup',
    `${warmupMinutes}m`,
    '--state-dir',
    join(work, 'state'),
    '--stdout',
  ]);
  try {
    const jobs = await background(new Random(seed), (warmupMinutes + minutes) * 60_000, work);
    run.child.kill('SIGTERM');
    const code = await run.ended;
    const events = run
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; time: string; data: Alert });
    const alerts = events.filter((event) => event.type === 'edgewood.incident').map((event) => event.data);
    const opened = alerts.filter((alert) => alert.state === 'opened');
    const above = alerts.filter((alert) => alert.severity !== 'info');
    const passed = code === 0 && opened.length <= 1 && above.length === 0;
    const file = writeResult('proofs', 'idle', {
      ...circumstances(),
      seed,
      warmupMinutes,
      minutes,
      jobs,
      models: events.filter((event) => event.type === 'edgewood.model.activated').map((event) => event.time),
      incidents: opened.length,
      aboveInfo: above.length,
      alerts: alerts.map(({ state, severity, trigger, openedAt, explanation }) => ({
        state,
        severity,
        trigger,
        openedAt,
        sentence: explanation.sentence,
      })),
      passed,
    });
    console.log(
      `${minutes} minutes after ${warmupMinutes} of warm-up, ${Object.values(jobs).reduce((a, b) => a + b, 0)} background jobs: ` +
        `${opened.length} incidents (at most 1), ${above.length} notifications above info (0). ${passed ? 'PASSED' : 'FAILED'}. ${file}`,
    );
    return passed ? 0 : 1;
  } finally {
    run.child.kill('SIGKILL');
    await run.ended;
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs jobs until the time is over. @returns how often each ran */
async function background(random: Random, durationMs: number, work: string): Promise<Record<string, number>> {
  const ran: Record<string, number> = {};
  const endMs = Date.now() + durationMs;
  for (;;) {
    const pauseMs = JOB_EVERY_MS * (0.5 + random.float());
    if (Date.now() + pauseMs >= endMs) break;
    await sleep(pauseMs);
    const [name, command] = JOBS[Math.floor(random.float() * JOBS.length)] as (typeof JOBS)[number];
    ran[name] = (ran[name] ?? 0) + 1;
    const job = spawn('sh', ['-c', command], { stdio: 'ignore', env: { ...process.env, WORK: work } });
    await new Promise((resolve) => job.once('close', resolve));
  }
  await sleep(Math.max(0, endMs - Date.now()));
  return ran;
}
