import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real mosquitto on a port of its own, for one test. */

const BINARY = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((path) => existsSync(path));

/** In CI a missing broker is a failure, not a skip. */
export const hasMosquitto =
  BINARY !== undefined || ![undefined, '', 'false', '0'].includes(process.env['CI']);

export interface Mosquitto {
  readonly port: number;
  readonly directory: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** It holds its connections and says nothing more, until it is killed or resumed. */
  pause(): void;
  resume(): void;
  /** SIGHUP. What reaches the broker after it resolves is judged by the new files: it has one thread. */
  reload(): Promise<void>;
  /** Everything it has said so far. */
  said(): string;
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
  let log = '';
  const heard: (() => void)[] = [];
  const hear = (text: string): void => {
    log += text;
    for (const listen of heard) listen();
  };
  let child: ChildProcess = await launch(directory, port, hear);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    port,
    directory,
    get pid() {
      return child.pid as number;
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    said: () => log,
    reload: () =>
      new Promise((resolve) => {
        const count = (): number => log.split('Reloading config.').length;
        const before = count();
        const listen = (): void => {
          if (count() === before) return;
          heard.splice(heard.indexOf(listen), 1);
          resolve();
        };
        heard.push(listen);
        child.kill('SIGHUP');
      }),
    kill,
    restart: async () => {
      await kill();
      child = await launch(directory, port, hear);
    },
    stop: async () => {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function launch(directory: string, port: number, hear: (text: string) => void): Promise<ChildProcess> {
  const child = spawn(BINARY as string, ['-c', join(directory, 'mosquitto.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    hear(chunk.toString());
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

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** Of the same authority, run out yesterday. */
  readonly expiredCert: string;
  /** For a host of another name. */
  readonly strangerCert: string;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const LEAVES = {
  server: 'subjectAltName=DNS:localhost,IP:127.0.0.1\n',
  expired: 'subjectAltName=DNS:localhost,IP:127.0.0.1\n',
  stranger: 'subjectAltName=DNS:elsewhere.example\n',
  client: '',
};

/** A throw-away authority with server and client certificates, by openssl; null where that is missing. */
export function makeCertificates(directory: string): Certificates | null {
  const path = (name: string): string => join(directory, name);
  const run = (...args: string[]): boolean =>
    spawnSync('openssl', args, { stdio: 'ignore', cwd: directory }).status === 0;
  const authority = ['-subj', '/CN=test authority', '-keyout', path('ca.key'), '-out', path('ca.pem')];
  let made = run('req', '-x509', ...EC, '-days', '2', ...authority);
  for (const [name, extension] of Object.entries(LEAVES)) {
    writeFileSync(path(`${name}.ext`), extension);
    // Only the server's key is ever used by a server.
    const key = path(name === 'client' ? 'client.key' : 'server.key');
    const request = path(`${name}.csr`);
    const make = name === 'server' || name === 'client' ? [...EC, '-keyout', key] : ['-new', '-key', key];
    made &&= run('req', ...make, '-subj', `/CN=${name}`, '-out', request);
    const signed = [
      '-CA',
      path('ca.pem'),
      '-CAkey',
      path('ca.key'),
      '-CAcreateserial',
      '-out',
      path(`${name}.pem`),
    ];
    const days = name === 'expired' ? '-1' : '2';
    made &&= run('x509', '-req', '-in', request, ...signed, '-days', days, '-extfile', path(`${name}.ext`));
  }
  if (!made) return null;
  return {
    ca: path('ca.pem'),
    cert: path('server.pem'),
    key: path('server.key'),
    clientCert: path('client.pem'),
    clientKey: path('client.key'),
    expiredCert: path('expired.pem'),
    strangerCert: path('stranger.pem'),
  };
}
