import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Authority, issuer, MAX_COMMON_NAME_BYTES, makeAuthority, servesStill } from './certificate.ts';
import { lock, readFile, replaceFile } from './files.ts';
import { type Enrolled, type Fleet, fleetText, parseFleet } from './fleet.ts';
import { FILES, parsePasswords, renderAcl, renderConfiguration, renderPasswords } from './mosquitto.ts';
import { userName } from './roles.ts';

/**
 * A broker directory: `fleet.json`, `ca.key` and `ca.pem` stay where the fleet is managed; `mosquitto/` is what the
 * broker reads. Each file is written whole or not at all, the broker's before `fleet.json`: what was interrupted is
 * done again by the same command.
 */
export class BrokerDirectoryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BrokerDirectoryError';
  }
}

const FLEET_FILE = 'fleet.json';
const AUTHORITY_KEY = 'ca.key';
const LOCK_FILE = 'lock';
const BROKER_FOLDER = 'mosquitto';
const SECRET_MODE = 0o600;
/** For the broker's group to read; whoever owns the file and its group stays so when it is replaced. */
const BROKER_MODE = 0o640;
const PUBLIC_MODE = 0o644;
const SERVER_DAYS = 825;
const SERVER_RENEWED_DAYS = 60;

export class BrokerDirectory {
  readonly path: string;
  readonly hashes: Map<string, string>;
  /** Its map of who is enrolled is this object's own. */
  fleet: Fleet;
  #locked = true;

  private constructor(path: string, fleet: Fleet, hashes: Map<string, string>) {
    this.path = path;
    this.fleet = fleet;
    this.hashes = hashes;
  }

  /** Locks it until `release`. @throws BrokerDirectoryError */
  static open(path: string): BrokerDirectory {
    if (readFile(join(path, FLEET_FILE)) === null) {
      throw new BrokerDirectoryError(
        `${path}: no ${FLEET_FILE} here; make one: edgewood fleet broker --out ${path} --site SITE`,
      );
    }
    return BrokerDirectory.#load(path, { installedAs: join(path, BROKER_FOLDER), sites: [] });
  }

  /** The same, made where there is none. @throws BrokerDirectoryError */
  static create(path: string, fresh: Pick<Fleet, 'installedAs' | 'sites'>): BrokerDirectory {
    for (const folder of [path, join(path, BROKER_FOLDER)])
      mkdirSync(folder, { recursive: true, mode: folder === path ? 0o700 : 0o750 });
    return BrokerDirectory.#load(path, fresh);
  }

  static #load(path: string, fresh: Pick<Fleet, 'installedAs' | 'sites'>): BrokerDirectory {
    const holder = lock(join(path, LOCK_FILE));
    if (holder !== null)
      throw new BrokerDirectoryError(`${path}: process ${holder} works on it; try again when it has ended`);
    try {
      const text = readFile(join(path, FLEET_FILE));
      const passwords = readFile(join(path, BROKER_FOLDER, FILES.passwords)) ?? '';
      const fleet: Fleet =
        text === null
          ? { schemaVersion: 1, ...fresh, enrolled: new Map() }
          : explained(join(path, FLEET_FILE), () => parseFleet(text));
      const hashes = explained(join(path, BROKER_FOLDER, FILES.passwords), () => parsePasswords(passwords));
      return new BrokerDirectory(path, fleet, hashes);
    } catch (error) {
      rmSync(join(path, LOCK_FILE), { force: true });
      throw error;
    }
  }

  release(): void {
    if (this.#locked) rmSync(join(this.path, LOCK_FILE), { force: true });
    this.#locked = false;
  }

  get authority(): Authority | null {
    const certificate = readFile(join(this.path, BROKER_FOLDER, FILES.authority));
    const key = readFile(join(this.path, AUTHORITY_KEY));
    return certificate === null || key === null ? null : { certificate, key };
  }

  /** Makes the authority where there is none, and the broker's certificate where it is not for these, or runs out. */
  certify(servers: readonly string[], nowMs: number): boolean {
    const folder = join(this.path, BROKER_FOLDER);
    let { authority } = this;
    if (authority === null) {
      authority = makeAuthority(nowMs);
      replaceFile(join(this.path, AUTHORITY_KEY), authority.key, SECRET_MODE);
      replaceFile(join(folder, FILES.authority), authority.certificate, PUBLIC_MODE);
    }
    const certificate = readFile(join(folder, FILES.certificate));
    const key = readFile(join(folder, FILES.key));
    if (certificate !== null && key !== null) {
      if (servesStill({ certificate, key }, authority, servers, nowMs, SERVER_RENEWED_DAYS)) return false;
    }
    const [name = ''] = servers;
    const made = issuer(
      authority,
      nowMs,
    )({ name: name.slice(0, MAX_COMMON_NAME_BYTES), days: SERVER_DAYS, servers });
    replaceFile(join(folder, FILES.key), made.key, BROKER_MODE);
    replaceFile(join(folder, FILES.certificate), made.certificate, PUBLIC_MODE);
    return true;
  }

  /** Writes what the broker reads, then who is enrolled. @returns whether the broker has to read anew */
  save(): boolean {
    const { fleet } = this;
    const folder = join(this.path, BROKER_FOLDER);
    const files: readonly (readonly [string, string, number])[] = [
      [join(folder, FILES.configuration), renderConfiguration(fleet, this.authority !== null), PUBLIC_MODE],
      [join(folder, FILES.passwords), renderPasswords(fleet, this.hashes), BROKER_MODE],
      [join(folder, FILES.acl), renderAcl(fleet), BROKER_MODE],
      [join(this.path, FLEET_FILE), fleetText(fleet), SECRET_MODE],
    ];
    const changed = files.filter(([path, content]) => readFile(path) !== content);
    for (const [path, content, mode] of changed) replaceFile(path, content, mode);
    return changed.length > 0;
  }

  /** Enrolled with a password that the broker's file has lost: they can't connect. */
  get lost(): string[] {
    return [...this.fleet.enrolled.values()]
      .filter((one) => one.method === 'password' && !this.hashes.has(userName(one, one.generation)))
      .map((one) => userName(one));
  }

  put(one: Enrolled): void {
    (this.fleet.enrolled as Map<string, Enrolled>).set(userName(one), one);
  }

  remove(one: Enrolled): void {
    (this.fleet.enrolled as Map<string, Enrolled>).delete(userName(one));
  }
}

/** @throws BrokerDirectoryError naming the file */
function explained<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new BrokerDirectoryError(`${path}: ${(error as Error).message}`);
  }
}
