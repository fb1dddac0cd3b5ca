import { existsSync } from 'node:fs';
import { ask } from '../agent/local-api.ts';
import { Exit, UserError } from './errors.ts';

const SERVICE_SOCKET = '/var/lib/edgewood/agent.sock';

/** Where the local agent listens: the flag, the environment, or below the state directory. */
export async function socketPath(flags: {
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
}): Promise<string> {
  if (flags.socket !== undefined) return flags.socket;
  const fromEnvironment = process.env['EDGEWOOD_SOCKET'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  const { defaultStateDir } = await import('../agent/config/config.ts');
  const named = flags['state-dir'] ?? process.env['EDGEWOOD_STATE_DIR'];
  const own = `${named ?? defaultStateDir()}/agent.sock`;
  // A person who runs no agent means the service's; its group may ask it.
  return named === undefined && !existsSync(own) && existsSync(SERVICE_SOCKET) ? SERVICE_SOCKET : own;
}

export async function askAgent<T>(path: string, request: object): Promise<T> {
  try {
    return await ask<T>(path, request);
  } catch (error) {
    throw unreachable(path, error);
  }
}

export function unreachable(path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    return new UserError(
      `no agent listens on ${path}. Start one with \`edgewood agent\`, or name its socket with --socket or --state-dir.`,
      Exit.unreachable,
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new UserError(
      `${path} is not open to this user; run as root or as a member of the agent's group.`,
      Exit.unreachable,
    );
  }
  return new UserError(`${path}: ${message}`, Exit.unreachable);
}
