import { dlopen } from 'node:ffi';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { unixAddress } from '../../agent/service-manager.ts';
import { SHIPPED_UNIT, unitFile } from '../../cli/service/unit.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';

const MSG_DONTWAIT = 0x40;

/** The socket that systemd would listen on. */
function notifySocket(path: string): () => string[] {
  const { functions } = dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
    recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  });
  const socket = functions.socket(1, 2, 0);
  const address = unixAddress(path);
  expect(functions.bind(socket, address, address.length)).toBe(0);
  const received: string[] = [];
  return () => {
    for (;;) {
      const bytes = new Uint8Array(4096);
      const length = Number(functions.recv(socket, bytes, BigInt(bytes.length), MSG_DONTWAIT));
      if (length < 0) return received;
      received.push(...new TextDecoder().decode(bytes.subarray(0, length)).split('\n'));
    }
  };
}

describe.skipIf(!hasExecutable)('the agent as a service', () => {
  test('tells its manager that it is ready, alive and leaving, from the process that was started', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'edgewood-service-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const received = notifySocket(join(directory, 'notify'));
    const agent = runExecutable(['agent', '--interval', '200ms', '--state-dir', join(directory, 'state')], {
      NOTIFY_SOCKET: join(directory, 'notify'),
      WATCHDOG_USEC: '2000000',
    });
    onTestFinished(() => {
      agent.child.kill('SIGKILL');
    });
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
    const directory = mkdtempSync(join(tmpdir(), 'edgewood-service-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const received = notifySocket(join(directory, 'notify'));
    const agent = runExecutable(['agent', '--interval', '100ms', '--state-dir', join(directory, 'state')], {
      NOTIFY_SOCKET: join(directory, 'notify'),
      WATCHDOG_USEC: '400000',
    });
    onTestFinished(() => {
      agent.child.kill('SIGKILL');
    });
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
