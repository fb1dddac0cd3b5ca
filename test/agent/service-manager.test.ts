import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serviceManager, unixAddress } from '../../agent/service-manager.ts';
import { notifySocket } from '../support/notify-socket.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const silent = (): void => {};

describe.skipIf(process.platform !== 'linux')('the service manager', () => {
  it('is told READY, STATUS and WATCHDOG, a few times within the limit, and STOPPING', async () => {
    const path = join(temporaryDirectory(), 'notify');
    const read = notifySocket(path);
    let nowMs = 0;
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '40000000' };
    const manager = await serviceManager(env, silent, () => nowMs);
    manager.ready(1000);
    expect(read()).toEqual([`READY=1\nMAINPID=${process.pid}`]);
    manager.sampled('watching');
    expect(read()).toEqual(['WATCHDOG=1\nSTATUS=watching']);
    nowMs = 9_999;
    manager.sampled('watching');
    expect(read()).toEqual([]);
    nowMs = 10_000;
    manager.sampled('incident\nREADY=1');
    expect(read()).toEqual(['WATCHDOG=1\nSTATUS=incident READY=1']);
    manager.stopping();
    expect(read()).toEqual(['STOPPING=1']);
  });

  it('asks for a longer watchdog where samples are far apart', async () => {
    const path = join(temporaryDirectory(), 'notify');
    const read = notifySocket(path);
    const manager = await serviceManager(
      { NOTIFY_SOCKET: path, WATCHDOG_USEC: '120000000' },
      silent,
      () => 0,
    );
    manager.ready(3_600_000);
    expect(read()).toEqual([`READY=1\nMAINPID=${process.pid}\nWATCHDOG_USEC=14400000000`]);
  });

  it('keeps quiet without a watchdog, for another process, and without a socket', async () => {
    const path = join(temporaryDirectory(), 'notify');
    const read = notifySocket(path);
    for (const env of [{}, { WATCHDOG_USEC: '1000000', WATCHDOG_PID: '1' }]) {
      const manager = await serviceManager({ NOTIFY_SOCKET: path, ...env }, silent, () => 0);
      manager.sampled('watching');
      expect(read()).toEqual(['STATUS=watching']);
    }
    const told: string[] = [];
    const log = (_level: string, event: string): void => void told.push(event);
    (await serviceManager({}, log, () => 0)).ready(1000);
    expect(told).toEqual([]);
    (await serviceManager({ NOTIFY_SOCKET: `/${'x'.repeat(200)}` }, log, () => 0)).ready(1000);
    expect(told).toEqual(['service.notTold']);
  });

  it('writes addresses of both kinds', () => {
    expect([...unixAddress('/a')]).toEqual([1, 0, 47, 97, 0]);
    expect([...unixAddress('@a')]).toEqual([1, 0, 0, 97]);
  });
});
