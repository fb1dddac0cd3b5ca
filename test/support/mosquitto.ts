import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real mosquitto on a port of its own, for one test. */

const BINARY = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((path) => existsSync(path));

/** In CI a missing broker is a failure, not a skip. */
export const hasMosquitto = BINARY !== undefined || process.env['CI'] === 'true';

export interface Mosquitto {
  readonly port: number;
  readonly directory: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** On the same port, with the same configuration. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/**
 * @param configuration lines besides the listener's; `files` are written beside and named as `@/name`
 */
export async function startMosquitto(
  configuration: readonly string[] = ['allow_anonymous true'],
  files: Readonly<Record<string, string>> = {},
  listener: readonly string[] = [],
): Promise<Mosquitto> {
  if (BINARY === undefined) throw new Error('mosquitto is not installed (Debian package mosquitto)');
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-mosquitto-'));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content, { mode: 0o644 });
  const text = [`listener ${port} 127.0.0.1`, ...listener, 'persistence false', 'user root', ...configuration]
    .join('\n')
    .replaceAll('@/', `${directory}/`);
  writeFileSync(join(directory, 'mosquitto.conf'), `${text}\n`);
  let child: ChildProcess = await launch(directory, port);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    port,
    directory,
    kill,
    restart: async () => {
      await kill();
      child = await launch(directory, port);
    },
    stop: async () => {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function launch(directory: string, port: number): Promise<ChildProcess> {
  const child = spawn(BINARY as string, ['-c', join(directory, 'mosquitto.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended: ${said}`);
    if (await accepts(port)) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A throw-away authority with a server and a client certificate, by openssl; null where that is missing. */
export function makeCertificates(
  directory: string,
): { ca: string; cert: string; key: string; clientCert: string; clientKey: string } | null {
  const path = (name: string): string => join(directory, name);
  const run = (...args: string[]): boolean => spawnSync('openssl', args, { stdio: 'ignore' }).status === 0;
  writeFileSync(path('server.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const made =
    run(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
      '-keyout',
      path('ca.key'),
      '-out',
      path('ca.pem'),
    ) &&
    ['server', 'client'].every(
      (name) =>
        run(
          'req',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-subj',
          `/CN=${name}`,
          '-keyout',
          path(`${name}.key`),
          '-out',
          path(`${name}.csr`),
        ) &&
        run(
          'x509',
          '-req',
          '-in',
          path(`${name}.csr`),
          '-CA',
          path('ca.pem'),
          '-CAkey',
          path('ca.key'),
          '-CAcreateserial',
          '-days',
          '2',
          '-out',
          path(`${name}.pem`),
          ...(name === 'server' ? ['-extfile', path('server.ext')] : []),
        ),
    );
  if (!made) return null;
  return {
    ca: path('ca.pem'),
    cert: path('server.pem'),
    key: path('server.key'),
    clientCert: path('client.pem'),
    clientKey: path('client.key'),
  };
}
