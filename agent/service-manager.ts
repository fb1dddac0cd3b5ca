import type { Log } from './log.ts';

/**
 * sd_notify(3): says to systemd, over the datagram socket in NOTIFY_SOCKET, that the agent is ready, what it does, and,
 * for each stretch in which it really sampled, that it is alive. Node has no datagram sockets of the Unix kind; libc,
 * through node:ffi, has.
 */
export interface ServiceManager {
  /** The agent watches; systemd lets go of those who wait for it. */
  ready(intervalMs: number): void;
  /** A sample was really taken. Feeds the watchdog, a few times within its limit. */
  sampled(status: string): void;
  stopping(): void;
}

/** Where nobody asked to be told. */
export const NO_SERVICE_MANAGER: ServiceManager = { ready: () => {}, sampled: () => {}, stopping: () => {} };

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const PATH_MAX = 108;
/** So many samples may be missed before the watchdog bites, whatever the unit says. */
const MISSED_SAMPLES = 3;

/** sockaddr_un; a name that begins with @ is an abstract one (unix(7)). */
export function unixAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length >= PATH_MAX) throw new Error(`not a socket address: ${path}`);
  if (name[0] === 0x40) name[0] = 0;
  const address = new Uint8Array(2 + name.length + (name[0] === 0 ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  return address;
}

/** @returns one that does nothing where no NOTIFY_SOCKET is set, or it can't be reached (which is logged) */
export async function serviceManager(
  env: NodeJS.ProcessEnv,
  log: Log,
  monotonicMs: () => number,
): Promise<ServiceManager> {
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return NO_SERVICE_MANAGER;
  try {
    const send = await datagramsTo(path);
    return notifying(send, watchdogMs(env), monotonicMs);
  } catch (error) {
    log('warning', 'service.notTold', { error: error instanceof Error ? error.message : String(error) });
    return NO_SERVICE_MANAGER;
  }
}

/** WATCHDOG_USEC, where it is meant for this process. */
function watchdogMs({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: NodeJS.ProcessEnv): number | null {
  if (pid !== undefined && pid !== String(process.pid)) return null;
  const ms = Number(usec) / 1000;
  return ms > 0 ? ms : null;
}

function notifying(
  send: (state: string) => void,
  configuredMs: number | null,
  monotonicMs: () => number,
): ServiceManager {
  let limitMs = configuredMs;
  let fedMs = Number.NEGATIVE_INFINITY;
  let told = '';
  return {
    ready: (intervalMs) => {
      const lines = ['READY=1', `MAINPID=${process.pid}`];
      if (limitMs !== null && limitMs < (MISSED_SAMPLES + 1) * intervalMs) {
        limitMs = (MISSED_SAMPLES + 1) * intervalMs;
        lines.push(`WATCHDOG_USEC=${Math.ceil(limitMs * 1000)}`);
      }
      send(lines.join('\n'));
    },
    sampled: (status) => {
      const lines: string[] = [];
      const now = monotonicMs();
      if (limitMs !== null && now - fedMs >= limitMs / (MISSED_SAMPLES + 1)) {
        fedMs = now;
        lines.push('WATCHDOG=1');
      }
      if (status !== told) {
        told = status;
        lines.push(`STATUS=${status.replaceAll('\n', ' ')}`);
      }
      if (lines.length > 0) send(lines.join('\n'));
    },
    stopping: () => send('STOPPING=1'),
  };
}

async function datagramsTo(path: string): Promise<(state: string) => void> {
  const { dlopen } = await import('node:ffi');
  const { functions } = dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    sendto: { arguments: ['i32', 'buffer', 'u64', 'i32', 'buffer', 'u32'], return: 'i64' },
  });
  const address = unixAddress(path);
  const socket = functions.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (socket < 0) throw new Error('no datagram socket');
  const encoder = new TextEncoder();
  // A manager that does not take it is busy or gone; the next one follows.
  return (state) => {
    const bytes = encoder.encode(state);
    functions.sendto(socket, bytes, BigInt(bytes.length), MSG_DONTWAIT_NOSIGNAL, address, address.length);
  };
}
