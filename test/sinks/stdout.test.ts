import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { StdoutSink } from '../../agent/sinks/stdout.ts';
import { validator } from '../support/schemas.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';

test('one CloudEvent a line, and a slow reader holds back all but one', async () => {
  const written: string[] = [];
  const open: (() => void)[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      written.push(chunk.toString());
      open.push(callback);
    },
  });
  const sink = new StdoutSink('stdout', IDENTITY, stream, () => 0);
  sink.start(() => {});
  const settled = sink.deliver([storedEvent(1, 'info'), storedEvent(2), storedEvent(3)]);
  let done = false;
  void settled.then(() => {
    done = true;
  });
  for (let n = 1; n <= 3; n++) {
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toHaveLength(n);
    expect(stream.writableLength).toBe(Buffer.byteLength(written[n - 1] as string));
    expect(done).toBe(false);
    open.shift()?.();
  }
  expect(await settled).toEqual(Array(3).fill({ outcome: 'delivered' }));
  for (const line of written) {
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(validator('event')(JSON.parse(line))).toEqual([]);
  }
});

test('a reader of the process that goes away is a retry, not an end', async () => {
  const root = new URL('../../', import.meta.url).pathname;
  const program = `
    import { StdoutSink } from '${root}agent/sinks/stdout.ts';
    import { IDENTITY, storedEvent } from '${root}test/support/sinks.ts';
    const sink = new StdoutSink('stdout', IDENTITY, process.stdout, Date.now);
    sink.start(() => {});
    process.stdin.once('data', async () => {
      const seen = [];
      for (let n = 1; n < 4; n++) seen.push((await sink.deliver([storedEvent(n), storedEvent(n)])).map((s) => s.outcome));
      setImmediate(() => process.stderr.write(JSON.stringify({ seen, status: sink.status() }), () => process.exit(0)));
    });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program]);
  const said = once(createInterface(child.stderr), 'line');
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.stdin.write('go\n');
  const { seen, status } = JSON.parse((await said)[0] as string) as { seen: string[][]; status: object };
  expect(seen.flat()).toEqual(Array(6).fill('retry'));
  expect(status).toMatchObject({ connected: false, lastError: expect.stringMatching(/EPIPE|gone/) });
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
});
