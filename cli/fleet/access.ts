import { readFileSync, statSync } from 'node:fs';
import { type BrokerDirectory, BrokerDirectoryError } from '../../models/access/directory.ts';
import { type Identity, identityFault, type Role } from '../../models/access/roles.ts';
import { Exit, UserError } from '../errors.ts';

/** 200,000 hosts with names of the greatest length. */
const MAX_LIST_BYTES = 64 * 2 ** 20;

/** @throws UserError for what the person can mend; a file that can't be read or written is named */
export async function withDirectory<T>(
  open: () => BrokerDirectory,
  work: (directory: BrokerDirectory) => T | Promise<T>,
): Promise<T> {
  let directory: BrokerDirectory | null = null;
  try {
    directory = open();
    return await work(directory);
  } catch (error) {
    if (error instanceof BrokerDirectoryError) throw new UserError(error.message);
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined || path === undefined) throw error;
    throw new UserError(`${path}: can't be read or written (${code})`);
  } finally {
    directory?.release();
  }
}

interface Named {
  readonly name?: string | undefined;
  readonly from?: string | undefined;
  readonly role: Role;
}

/**
 * Who is meant: one by name, or each line of a list, `HOST-ID` or `HOST-ID,SITE`.
 * @param known sites of the broker's folder; a misspelt one would make an agent that nobody hears
 */
export function identities(
  { name, from, role }: Named,
  sites: readonly string[],
  known: readonly string[],
): Identity[] {
  if ((name === undefined) === (from === undefined))
    throw new UserError('expected a name, or --from with a list of them');
  const one = (text: string, own: readonly string[], place: string): Identity => {
    if (role === 'agent' && own.length !== 1)
      throw new UserError(`${place}an agent is of one site: name it with --site`);
    const identity = { role, name: text, sites: own.length === 0 ? null : own };
    const fault = identityFault(identity);
    if (fault !== null) throw new UserError(`${place}${fault}`);
    const unknown = own.find((site) => !known.includes(site));
    if (unknown !== undefined)
      throw new UserError(
        `${place}site ${JSON.stringify(unknown)} is none of this broker (${known.join(', ')}); add it: edgewood fleet broker --site`,
      );
    return identity;
  };
  if (name !== undefined) return [one(name, sites, '')];
  const file = from as string;
  const seen = new Set<string>();
  return readList(file).flatMap((line, i) => {
    const place = `${file === '-' ? 'standard input' : file}:${i + 1}: `;
    const [text = '', site, ...rest] = line.split(',').map((cell) => cell.trim());
    if (text === '' || (i === 0 && /^(host|hostid|host_id|id|name)$/i.test(text))) return [];
    if (rest.length > 0) throw new UserError(`${place}expected HOST-ID or HOST-ID,SITE`);
    const identity = one(text, site === undefined ? sites : [site], place);
    const key = JSON.stringify([identity.sites, text]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [identity];
  });
}

function readList(file: string): string[] {
  try {
    if (file !== '-' && statSync(file).size > MAX_LIST_BYTES)
      throw new UserError(`${file}: at most ${MAX_LIST_BYTES} bytes are read`);
    return readFileSync(file === '-' ? 0 : file, 'utf8')
      .replace(/^\ufeff/, '')
      .split(/\r?\n/);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file}: can't be read (${(error as NodeJS.ErrnoException).code})`, Exit.badInput);
  }
}

export const RELOAD = 'The broker takes it up with: systemctl reload mosquitto';
