import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { MqttClient } from 'mqtt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const run = async (...args: string[]): Promise<{ code: number | string; out: string; err: string }> => {
  const it = runExecutable(args);
  return { code: await it.ended, out: it.stdout(), err: it.stderr() };
};

async function agent(stateDir: string, ...args: string[]): Promise<Run> {
  const it = runExecutable(['agent', '--interval', '200ms', '--state-dir', stateDir, '--stdout', ...args]);
  onTestFinished(() => {
    it.child.kill('SIGKILL');
    return it.ended.then(() => {});
  });
  await it.logged('agent.started');
  return it;
}

async function end(it: Run): Promise<{ type: string; source: string; data: Record<string, unknown> }[]> {
  it.child.kill('SIGTERM');
  expect(await it.ended).toBe(0);
  return it
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; source: string; data: Record<string, unknown> });
}

describe.skipIf(!hasExecutable)('the identity of a host', () => {
  test('a copy of a state directory on other hardware is told as an alert, renewed, and then somebody else', async () => {
    const stateDir = join(temporaryDirectory(), 'state');
    await end(await agent(stateDir));
    const file = join(stateDir, 'identity.json');
    const record = JSON.parse(readFileSync(file, 'utf8')) as { hostId: string; hardware: string[] };
    // As if the machine were another: none of its network cards is one that was here before.
    writeFileSync(file, JSON.stringify({ ...record, hardware: ['another machine’s'] }));
    if (record.hardware.length === 0) return;

    const copied = await end(await agent(stateDir));
    const alert = copied.find(({ type }) => type === 'edgewood.identity.changed');
    expect(alert?.data).toMatchObject({ reason: 'cloned', before: { hostId: record.hostId } });
    const shown = await run('identity', 'show', '--state-dir', stateDir);
    expect([shown.code, shown.out]).toEqual([1, expect.stringContaining('looks like a copy')]);

    const renewed = await run('identity', 'renew', '--state-dir', stateDir);
    const [, drawn] = /The host will be ([0-9a-f]{16})/.exec(renewed.out) ?? [];
    const after = await end(await agent(stateDir));
    expect(after[0]?.source).toContain(drawn as string);
    const again = await run('identity', 'show', '--state-dir', stateDir);
    expect([again.code, again.out]).toEqual([0, expect.stringContaining(drawn as string)]);
  });

  test('another site is another name: told, in a new epoch', async () => {
    const stateDir = join(temporaryDirectory(), 'state');
    await end(await agent(stateDir));
    const moved = await end(await agent(stateDir, '--site', 'paris'));
    expect(moved.find(({ type }) => type === 'edgewood.identity.changed')?.data).toMatchObject({
      reason: 'renamed',
      site: 'paris',
      before: { site: 'default' },
    });
    expect(moved.find(({ type }) => type === 'edgewood.agent.started')?.data).toMatchObject({
      epochReason: 'renamed',
    });
  });

  test('renew and keep need an agent that has run', async () => {
    const { code, err } = await run('identity', 'renew', '--state-dir', join(temporaryDirectory(), 'state'));
    expect([code, err]).toEqual([2, expect.stringContaining('no agent has run')]);
  });

  test.skipIf(!hasMosquitto)('decommission empties what is retained, and says what is left', async () => {
    const broker = await startMosquitto();
    onTestFinished(broker.stop);
    const stateDir = join(temporaryDirectory(), 'state');
    const mqtt = ['--mqtt', `mqtt://127.0.0.1:${broker.port}`];
    const it = await agent(stateDir, ...mqtt);
    await it.logged('mqtt.connected');
    const retained = async (): Promise<string[]> => {
      const client = new MqttClient(() => connectTcp(broker.port, '127.0.0.1'), {
        clientId: `r${Math.random()}`,
      });
      const topics: string[] = [];
      // What is retained comes before what is published after the subscription.
      const last = new Promise<void>((resolve) => {
        client.on('message', (topic, _payload, packet) => {
          if (packet.retain) topics.push(topic);
          else if (topic === 'edgewood/last') resolve();
        });
      });
      await new Promise<void>((resolve) => client.once('connect', () => resolve()));
      await client.subscribeAsync('edgewood/#', { qos: 1 });
      await client.publishAsync('edgewood/last', 'x', { qos: 1 });
      await last;
      client.end(true);
      return topics;
    };
    const refused = await run('decommission', '--yes', '--state-dir', stateDir, ...mqtt);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('is running')]);
    await end(it);
    expect(await retained()).toEqual([expect.stringMatching(/\/status$/)]);
    const asked = await run('decommission', '--state-dir', stateDir, ...mqtt);
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('--yes')]);
    const done = await run('decommission', '--yes', '--state-dir', stateDir, ...mqtt);
    expect([done.code, done.err]).toEqual([0, '']);
    expect(done.out).toMatch(/emptied edgewood\/1\/default\/a\/\w+\/status/);
    expect(done.out).toContain('What is left of');
    expect(await retained()).toEqual([]);
  });
});
