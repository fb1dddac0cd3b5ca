import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { freePort, hasMosquitto, startMosquitto } from '../support/mosquitto.ts';

const SECRETS = {
  password: 'pa55-of-the-broker',
  wrongPassword: 'pa55-that-is-wrong',
  token: 'tok3n-of-influx',
  hookToken: 'tok3n-of-the-hook',
  hookPath: 'T0P-path-of-the-hook',
  hookKey: 'k3y-of-the-hook',
  basic: 'bas1c-password',
} as const;
/** As they go over the wire, too. */
const FORMS = Object.values(SECRETS).flatMap((secret) => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(`agent:${secret}`).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(secret),
]);

/** A server that says back what it was sent, as some do in their complaints. */
async function echoing(status: number): Promise<number> {
  const server = createServer((request, response) => {
    const said = `${request.method} ${request.url} ${JSON.stringify(request.headers)}`;
    response.writeHead(status, {
      'content-type': 'text/plain',
      location: request.url,
      'x-echo': encodeURIComponent(said),
    });
    response.end(said);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe.skipIf(!hasExecutable || !hasMosquitto)('secrets', () => {
  test('planted in every place that takes one, they are in nothing that is written', {
    timeout: 60_000,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'edgewood-secrets-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const kept = join(directory, 'kept');
    mkdirSync(kept, { mode: 0o700 });
    const file = (name: keyof typeof SECRETS): string => {
      const path = join(kept, name);
      writeFileSync(path, `${SECRETS[name]}\n`, { mode: 0o600 });
      return path;
    };
    const broker = await startMosquitto();
    const locked = await startMosquitto(['allow_anonymous false', 'password_file @/passwords'], {
      passwords: '',
    });
    onTestFinished(async () => {
      await broker.stop();
      await locked.stop();
    });
    const ports = await Promise.all([400, 401, 500, 302].map(echoing));
    const http = `127.0.0.1:${await freePort()}`;
    const hook = (port: number | undefined): string =>
      `http://127.0.0.1:${port}/${SECRETS.hookPath}?key=${SECRETS.hookKey}`;
    const written = join(directory, 'written');
    mkdirSync(written);
    const config = join(directory, 'agent.yaml');
    writeFileSync(
      config,
      [
        'interval: 200ms',
        `stateDir: ${written}/state`,
        `http: { listen: ${http} }`,
        `log: { level: debug, file: ${written}/agent.log }`,
        'sinks:',
        `  - { type: mqtt, name: right, url: 'mqtt://127.0.0.1:${broker.port}', username: agent, passwordFile: ${file('password')} }`,
        `  - { type: mqtt, name: wrong, url: 'mqtt://127.0.0.1:${locked.port}', username: agent, passwordFile: ${file('wrongPassword')} }`,
        `  - { type: influx, name: refusing, url: 'http://127.0.0.1:${ports[0]}', tokenFile: ${file('token')} }`,
        `  - { type: influx, name: unknown, url: 'http://127.0.0.1:${ports[1]}', username: agent, passwordFile: ${file('basic')} }`,
        `  - { type: webhook, name: failing, url: '${hook(ports[2])}', tokenFile: ${file('hookToken')} }`,
        `  - { type: webhook, name: moving, url: '${hook(ports[3])}', tokenFile: ${file('hookToken')} }`,
      ].join('\n'),
    );
    const agent = runExecutable(['agent', '--config', config]);
    onTestFinished(() => {
      agent.child.kill('SIGKILL');
    });
    const log = (): string => readFileSync(join(written, 'agent.log'), 'utf8');
    // Every sink has said what it has to say.
    for (const sink of ['right', 'wrong', 'refusing', 'unknown', 'failing', 'moving']) {
      await until(() => log().includes(`"sink":"${sink}"`));
    }
    const metrics = await (await fetch(`http://${http}/metrics`)).text();
    const outputs = [metrics];
    const say = async (...args: string[]): Promise<void> => {
      const run: Run = runExecutable(args);
      await run.ended;
      outputs.push(run.stdout(), run.stderr());
    };
    const state = ['--state-dir', join(written, 'state')];
    await say('status', '--json', ...state);
    await say('status', ...state);
    await say('alerts', 'list', '--json', ...state);
    await say('config', 'show', '--config', config);
    await say('config', 'check', config);
    await say('doctor', '--config', config);
    await say('doctor', '--json', '--config', config);
    await say('identity', 'show', '--config', config);
    writeFileSync(config, readFileSync(config, 'utf8').replace('level: debug', 'level: loud'));
    agent.child.kill('SIGHUP');
    await until(() => log().includes('config.rejected'));
    await say('config', 'check', config);
    agent.child.kill('SIGTERM');
    expect(await agent.ended).toBe(0);
    outputs.push(agent.stdout(), agent.stderr());

    const places = new Map(outputs.map((text, i) => [`output ${i}`, text]));
    for (const entry of readdirSync(written, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) places.set(path, readFileSync(path, 'latin1'));
    }
    expect(places.size).toBeGreaterThan(20);
    const found = [...places].flatMap(([place, text]) =>
      FORMS.filter((form) => text.includes(form)).map((form) => `${place}: ${form}: …${around(text, form)}…`),
    );
    expect(found).toEqual([]);
  });
});

const around = (text: string, form: string): string => {
  const at = text.indexOf(form);
  return text.slice(Math.max(0, at - 80), at + form.length + 20);
};

async function until(holds: () => boolean): Promise<void> {
  for (;;) {
    try {
      if (holds()) return;
    } catch {
      // The file is not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
