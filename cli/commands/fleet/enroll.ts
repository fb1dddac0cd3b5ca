import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { issuer, MAX_COMMON_NAME_BYTES } from '../../../models/access/certificate.ts';
import { BrokerDirectory } from '../../../models/access/directory.ts';
import { replaceFile } from '../../../models/access/files.ts';
import type { Enrolled } from '../../../models/access/fleet.ts';
import { hashPassword, randomPassword } from '../../../models/access/password.ts';
import { escapeLevel, type Identity, type Role, userName } from '../../../models/access/roles.ts';
import { syncDirectory } from '../../../models/durable-file.ts';
import { Exit, UserError } from '../../errors.ts';
import { identities, RELOAD, withDirectory } from '../../fleet/access.ts';
import { Progress } from '../../progress.ts';

export interface EnrollOptions {
  readonly name?: string | undefined;
  readonly site: readonly string[];
  readonly from?: string | undefined;
  readonly role: Role;
  readonly 'broker-dir': string;
  readonly out?: string | undefined;
  readonly certificate: boolean;
  readonly days: number;
  readonly renew: boolean;
  readonly finish: boolean;
  readonly json: boolean;
}

/** Of credentials, in their folder: what `usernameFile`, `passwordFile`, `certFile`, `keyFile`, `caFile` name. */
const NAMES = {
  user: 'mqtt.user',
  password: 'mqtt.password',
  certificate: 'mqtt.crt',
  key: 'mqtt.key',
  authority: 'ca.pem',
} as const;
const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const MOST_DAYS = 3650;

interface Figures {
  enrolled: number;
  renewed: number;
  finished: number;
  unchanged: number;
}

/**
 * Credentials are written first, then what the broker reads, then who is enrolled: an interrupted command is repeated.
 * Who is enrolled already stays as it is.
 */
export async function run(args: EnrollOptions): Promise<number> {
  if (args.renew && args.finish)
    throw new UserError('--renew and --finish are two steps: reload the broker between');
  if (args.finish !== (args.out === undefined)) {
    throw new UserError(
      args.finish ? '--finish makes no credentials: leave --out away' : 'where to? Name a folder with --out',
    );
  }
  if (!Number.isInteger(args.days) || args.days < 1 || args.days > MOST_DAYS)
    throw new UserError(`--days: expected 1 to ${MOST_DAYS}`);
  return withDirectory(
    () => BrokerDirectory.open(args['broker-dir']),
    (directory) => {
      const all = identities(args, args.site, directory.fleet.sites);
      const figures = args.finish ? finish(directory, all, args) : give(directory, all, args);
      const changed = directory.save();
      say(args, figures, changed, directory);
      return Exit.done;
    },
  );
}

function give(directory: BrokerDirectory, all: readonly Identity[], args: EnrollOptions): Figures {
  const figures = { enrolled: 0, renewed: 0, finished: 0, unchanged: 0 };
  const { enrolled } = directory.fleet;
  const make = maker(directory, args);
  // Nobody gets credentials before all that was asked for is known to be possible.
  const work = all.flatMap((identity) => {
    const before = enrolled.get(userName(identity));
    if (before === undefined && args.renew)
      throw new UserError(`${userName(identity)} is not enrolled here`, Exit.checkSaysNo);
    if (before !== undefined && before.former !== null && args.renew)
      throw new UserError(
        `${userName(identity)} is being renewed already: once it is seen as ${userName(before, before.generation)}, --finish`,
        Exit.checkSaysNo,
      );
    if (before !== undefined && !args.renew) {
      figures.unchanged++;
      return [];
    }
    const next: Enrolled = {
      ...identity,
      sites:
        before !== undefined && args.site.length === 0 && identity.role !== 'agent'
          ? before.sites
          : identity.sites,
      method: args.certificate ? 'certificate' : (before?.method ?? 'password'),
      generation: (before?.generation ?? 0) + 1,
      former: before?.generation ?? null,
    };
    make.check(next);
    return [next];
  });
  const progress = new Progress(!args.json);
  for (const [i, next] of work.entries()) {
    progress.step(i, work.length, 'credentials');
    make.write(next, folderOf(next, args));
    directory.put(next);
    if (next.former === null) figures.enrolled++;
    else figures.renewed++;
  }
  progress.end();
  if (work.length > 0) syncDirectory(args.out as string);
  return figures;
}

/** One: the folder that was named. Of many, each has its own in it. */
function folderOf(one: Identity, { out, from }: EnrollOptions): string {
  if (from === undefined) return out as string;
  const site = one.role === 'agent' ? [escapeLevel(one.sites?.[0] ?? '')] : [];
  return join(out as string, ...site, escapeLevel(one.name));
}

function maker(
  directory: BrokerDirectory,
  args: EnrollOptions,
): { check(one: Enrolled): void; write(one: Enrolled, folder: string): void } {
  const { authority } = directory;
  const issue = authority === null ? null : issuer(authority, Date.now());
  const synced = args.from === undefined;
  return {
    check: (one) => {
      const user = userName(one, one.generation);
      if (one.method !== 'certificate') return;
      if (issue === null)
        throw new UserError(
          `${directory.path}: no authority here; make one: edgewood fleet broker --out ${directory.path} --tls-name BROKER`,
        );
      if (Buffer.byteLength(user) > MAX_COMMON_NAME_BYTES)
        throw new UserError(
          `${user} is too long for a certificate (${MAX_COMMON_NAME_BYTES} bytes): use a password, or shorter names`,
        );
    },
    write: (one, folder) => {
      const user = userName(one, one.generation);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const put = (name: string, content: string, mode = SECRET_MODE): void =>
        replaceFile(join(folder, name), content, mode, synced);
      if (authority !== null) put(NAMES.authority, authority.certificate, PUBLIC_MODE);
      if (one.method === 'certificate' && issue !== null) {
        const made = issue({ name: user, days: args.days });
        put(NAMES.key, made.key);
        put(NAMES.certificate, made.certificate, PUBLIC_MODE);
        return;
      }
      const password = randomPassword();
      put(NAMES.password, `${password}\n`);
      put(NAMES.user, `${user}\n`);
      directory.hashes.set(user, hashPassword(password));
    },
  };
}

function finish(directory: BrokerDirectory, all: readonly Identity[], { from }: EnrollOptions): Figures {
  const figures = { enrolled: 0, renewed: 0, finished: 0, unchanged: 0 };
  for (const identity of all) {
    const one = directory.fleet.enrolled.get(userName(identity));
    if (one === undefined && from === undefined)
      throw new UserError(`${userName(identity)} is not enrolled here`, Exit.checkSaysNo);
    if (one === undefined || one.former === null) {
      figures.unchanged++;
      continue;
    }
    directory.put({ ...one, former: null });
    figures.finished++;
  }
  return figures;
}

function say(args: EnrollOptions, figures: Figures, changed: boolean, directory: BrokerDirectory): void {
  const { lost } = directory;
  if (args.json) {
    process.stdout.write(`${JSON.stringify({ ...figures, withoutPassword: lost })}\n`);
    return;
  }
  const words = Object.entries(figures)
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${what} ${n}`);
  process.stdout.write(`${words.join(', ') || 'nothing to do'}${changed ? `. ${RELOAD}` : ''}\n`);
  if (figures.unchanged > 0 && !args.finish)
    process.stdout.write('Who was enrolled keeps the credentials given out then; others: --renew\n');
  if (figures.enrolled + figures.renewed > 0 && args.from === undefined) process.stdout.write(sink(args));
  for (const user of lost.slice(0, 5))
    process.stdout.write(`${user}: its password is missing in the broker's file; give it another: --renew\n`);
}

/** What the configuration of that agent says. */
function sink({ out, role }: EnrollOptions): string {
  if (role !== 'agent') return `The credentials are in ${out}\n`;
  const names = existsSync(join(out as string, NAMES.key))
    ? [`certFile: …/${NAMES.certificate}`, `keyFile: …/${NAMES.key}`]
    : [`usernameFile: …/${NAMES.user}`, `passwordFile: …/${NAMES.password}`];
  return `Copy ${out} to the host; its sink of type mqtt says ${names.join(', ')}, caFile: …/${NAMES.authority}\n`;
}
