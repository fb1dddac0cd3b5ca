import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SHIPPED_UNIT, unitFile } from '../../cli/service/unit.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { notifySocket } from '../support/notify-socket.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** An agent that has a manager to tell, and every line that it has told so far. */
function managed(intervalMs: number, watchdogMs: number): { agent: Run; received: () => string[] } {
  const directory = temporaryDirectory();
  const path = join(directory, 'notify');
  const read = notifySocket(path);
  const lines: string[] = [];
  const args = ['agent', '--interval', `${intervalMs}ms`, '--state-dir', join(directory, 'state')];
  const agent = runExecutable(args, { NOTIFY_SOCKET: path, WATCHDOG_USEC: String(1000 * watchdogMs) });
  onTestFinished(() => {
    agent.child.kill('SIGKILL');
  });
  return {
    agent,
    received: () => {
      lines.push(...read().flatMap((message) => message.split('\n')));
      return lines;
    },
  };
}

describe.skipIf(!hasExecutable)('the agent as a service', () => {
  test('tells its manager that it is ready, alive and leaving, from the process that was started', async () => {
    const { agent, received } = managed(200, 2000);
    const count = (what: string): number => received().filter((line) => line === what).length;
    while (count('WATCHDOG=1') < 3) await new Promise((resolve) => setTimeout(resolve, 50));
    // The image was replaced once since (hand-over); the process is the one that systemd knows.
    expect(received().slice(0, 2)).toEqual(['READY=1', `MAINPID=${agent.child.pid}`]);
    expect(received()).toContain('STATUS=warming-up, no sinks');
    expect(count('STOPPING=1')).toBe(0);
    agent.child.kill('SIGTERM');
    expect(await agent.ended).toBe(0);
    expect(count('STOPPING=1')).toBeGreaterThan(0);
  });

  test('a process that hangs says nothing more', async () => {
    const { agent, received } = managed(100, 400);
    while (!received().includes('WATCHDOG=1')) await new Promise((resolve) => setTimeout(resolve, 20));
    agent.child.kill('SIGSTOP');
    const before = received().length;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(received().length - before).toBeLessThanOrEqual(1);
  });

  test('prints its unit without touching anything', async () => {
    const run = runExecutable(['service', 'install', '--print', '--executable', SHIPPED_UNIT.executable]);
    expect(await run.ended).toBe(0);
    expect(run.stdout()).toBe(unitFile(SHIPPED_UNIT));
  });
});
