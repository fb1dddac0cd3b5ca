import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask, converse, type Handler, LocalApi } from '../../agent/local-api.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function listening(
  handlers: Readonly<Record<string, Handler>> = { echo: ({ text }) => text },
  path = join(temporaryDirectory(), 'agent.sock'),
): Promise<{ api: LocalApi; path: string }> {
  const api = new LocalApi(handlers, () => {});
  await api.listen(path);
  onTestFinished(() => api.close());
  return { api, path };
}

/** A client without manners: writes what it likes, and reads lines or until it is cut off. */
class RawClient {
  readonly socket: Socket;
  readonly #lines: string[] = [];
  #waiting: ((line: string | null) => void)[] = [];
  #buffered = '';
  closed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.setEncoding('utf8');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: string) => {
      this.#buffered += chunk;
      const lines = this.#buffered.split('\n');
      this.#buffered = lines.pop() as string;
      for (const line of lines) {
        const wake = this.#waiting.shift();
        if (wake === undefined) this.#lines.push(line);
        else wake(line);
      }
    });
    this.socket.on('close', () => {
      this.closed = true;
      for (const wake of this.#waiting.splice(0)) wake(null);
    });
    onTestFinished(() => void this.socket.destroy());
  }

  /** The next line, or null where the connection has ended. */
  line(): Promise<string | null> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return this.closed ? Promise.resolve(null) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

const answerTo = async (path: string, text: string): Promise<unknown> => {
  const client = new RawClient(path);
  client.socket.write(text);
  const line = await client.line();
  client.socket.destroy();
  return line === null ? null : JSON.parse(line);
};

describe('the socket', () => {
  test('is open to owner and group, to nobody else', async () => {
    const before = process.umask();
    const { path } = await listening();
    expect(statSync(path).mode & 0o7777).toBe(0o660);
    expect(process.umask()).toBe(before);
  });

  test('goes with the agent', async () => {
    const { api, path } = await listening();
    await api.close();
    await api.close();
    expect(existsSync(path)).toBe(false);
    await expect(ask(path, { method: 'echo' })).rejects.toThrow(/ENOENT/);
  });

  test('what a dead agent left is taken over', async () => {
    const left = join(temporaryDirectory(), 'agent.sock');
    // To whoever comes after, a socket that answers others is no different from one that a kill left behind.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(left, resolve));
    onTestFinished(() => void server.close());
    await listening({ echo: () => 'new' }, left);
    expect(await ask(left, { method: 'echo' })).toBe('new');
  });

  test('a file that is no socket is not touched', async () => {
    const path = join(temporaryDirectory(), 'passwd');
    writeFileSync(path, 'precious');
    await expect(new LocalApi({}, () => {}).listen(path)).rejects.toThrow(/not a socket/);
    expect(statSync(path).size).toBe(8);
  });

  test('where it can’t be, it says so', async () => {
    const path = join(temporaryDirectory(), 'no', 'such', 'folder', 'agent.sock');
    const api = new LocalApi({}, () => {});
    await expect(api.listen(path)).rejects.toThrow(/ENOENT|EACCES/);
    await api.close();
  });
});

describe('requests', () => {
  test('are answered in order, many on one connection and many at once', async () => {
    const { path } = await listening();
    const clients = Array.from({ length: 20 }, () => new RawClient(path));
    for (const [c, client] of clients.entries()) {
      for (let i = 0; i < 10; i++)
        client.socket.write(`${JSON.stringify({ method: 'echo', text: `${c}-${i}` })}\n`);
    }
    for (const [c, client] of clients.entries()) {
      for (let i = 0; i < 10; i++) {
        expect(JSON.parse((await client.line()) as string)).toEqual({ ok: true, result: `${c}-${i}` });
      }
    }
  });

  test('may come in pieces', async () => {
    const { path } = await listening();
    const client = new RawClient(path);
    for (const piece of ['{"method":', '"echo","te', 'xt":"a"}', '\n{"method":"echo","text":"b"}\n']) {
      await new Promise<void>((resolve) => client.socket.write(piece, () => resolve()));
    }
    expect(await client.line()).toBe('{"ok":true,"result":"a"}');
    expect(await client.line()).toBe('{"ok":true,"result":"b"}');
  });

  test.each([
    ['not json\n', /JSON/],
    ['null\n', /expected a JSON object/],
    ['5\n', /expected a JSON object/],
    ['\n', /JSON/],
    ['[]\n', /unknown method undefined/],
    ['{}\n', /unknown method undefined/],
    ['{"method":5}\n', /unknown method 5/],
    ['{"method":"toString"}\n', /unknown method "toString"/],
    ['{"method":"__proto__"}\n', /unknown method "__proto__"/],
    ['{"method":"broken"}\n', /^it broke$/],
    ['{"method":"odd"}\n', /^odd$/],
  ])('%j is refused with a word', async (text, error) => {
    const { path } = await listening({
      broken: () => {
        throw new Error('it broke');
      },
      odd: () => {
        throw 'odd';
      },
    });
    expect(await answerTo(path, text)).toEqual({ ok: false, error: expect.stringMatching(error) as string });
  });

  test('whatever bytes come, it goes on answering others', async () => {
    const { path } = await listening();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const answer = await answerTo(path, `${Buffer.from(bytes).toString('latin1')}\n`);
        expect(answer).toMatchObject({ ok: false });
        expect(await ask(path, { method: 'echo', text: 'still here' })).toBe('still here');
      }),
      { numRuns: 50 },
    );
  });

  test('a line without end is cut off', async () => {
    const { path } = await listening();
    const client = new RawClient(path);
    client.socket.write('x'.repeat(100_000));
    expect(await client.line()).toBeNull();
    expect(await ask(path, { method: 'echo', text: 1 })).toBe(1);
  });

  test('who asks on and on and does not read is cut off', async () => {
    const answers: number[] = [];
    const { path } = await listening({
      much: () => {
        answers.push(1);
        return 'x'.repeat(500_000);
      },
    });
    const client = new RawClient(path);
    client.socket.pause();
    client.socket.write('{"method":"much"}\n'.repeat(500));
    await new Promise<void>((resolve) => {
      client.socket.on('close', () => resolve());
      // Only the end of the connection wakes a paused socket; reading on shows that it is one.
      client.socket.once('end', () => resolve());
      const look = (): void => {
        if (answers.length > 0) client.socket.resume();
        else setImmediate(look);
      };
      look();
    });
    expect(answers.length).toBeLessThan(20);
  });

  test('more than 32 at once are turned away, and let in when others have gone', async () => {
    const { path } = await listening();
    const clients = Array.from({ length: 32 }, () => new RawClient(path));
    for (const client of clients) client.socket.write('{"method":"echo","text":1}\n');
    for (const client of clients) await client.line();
    await expect(ask(path, { method: 'echo' })).rejects.toThrow();
    const gone = new Promise((resolve) => clients[0]?.socket.once('close', resolve));
    clients[0]?.socket.end();
    await gone;
    expect(await ask(path, { method: 'echo', text: 2 })).toBe(2);
  });
});

describe('following', () => {
  test('all followers get all that is published after, in order', async () => {
    const { api, path } = await listening();
    api.publish({ n: 0 });
    const streams = [converse(path, { method: 'follow' }), converse(path, { method: 'follow' })];
    for (const stream of streams) expect(await stream.next()).toEqual({ done: false, value: null });
    for (let n = 1; n <= 3; n++) api.publish({ n });
    for (const stream of streams) {
      for (let n = 1; n <= 3; n++) expect((await stream.next()).value).toEqual({ n });
    }
    await streams[0]?.return(undefined);
    api.publish({ n: 4 });
    expect((await streams[1]?.next())?.value).toEqual({ n: 4 });
    await api.close();
    expect(await streams[1]?.next()).toEqual({ done: true, value: undefined });
  });

  test('a follower may still ask', async () => {
    const { api, path } = await listening();
    const client = new RawClient(path);
    client.socket.write('{"method":"follow"}\n{"method":"echo","text":"x"}\n');
    expect(await client.line()).toBe('{"ok":true,"result":null}');
    expect(await client.line()).toBe('{"ok":true,"result":"x"}');
    api.publish({ a: 1 });
    expect(await client.line()).toBe('{"a":1}');
  });

  test('one that does not read is cut off rather than buffered for', async () => {
    const { api, path } = await listening();
    const client = new RawClient(path);
    client.socket.write('{"method":"follow"}\n');
    await client.line();
    client.socket.pause();
    const message = { text: 'x'.repeat(100_000) };
    let published = 0;
    const closed = new Promise<void>((resolve) => client.socket.once('close', () => resolve()));
    for (; published < 100; published++) api.publish(message);
    client.socket.resume();
    await closed;
    let received = 0;
    while ((await client.line()) !== null) received++;
    expect(received).toBeLessThan(published);
  });
});

describe('asking', () => {
  test('an agent that hangs up without a word', async () => {
    const path = join(temporaryDirectory(), 's');
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    await expect(ask(path, { method: 'status' })).rejects.toThrow(
      /closed the connection without an answer|EPIPE|ECONNRESET/,
    );
  });

  test('an agent that says nothing', async () => {
    const path = join(temporaryDirectory(), 's');
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    await expect(ask(path, { method: 'status' }, 1)).rejects.toThrow('no answer within 1 ms');
  });

  test('an agent that is not there', async () => {
    await expect(ask(join(temporaryDirectory(), 's'), { method: 'status' })).rejects.toThrow(/ENOENT/);
  });

  test('its own word of refusal', async () => {
    const { path } = await listening();
    await expect(ask(path, { method: 'nothing' })).rejects.toThrow('unknown method "nothing"');
  });
});
