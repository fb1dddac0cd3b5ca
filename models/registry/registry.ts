import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { artifactSha256 } from '../artifact.ts';
import type { ModelRecord } from '../record.ts';
import { writeShared } from './durable.ts';
import { makeDirectory, type OpenDatabase, openIndex } from './index-schema.ts';
import { checkAlias, checkName, compareAliases, LATEST, versionNumber } from './names.ts';
import { Objects } from './objects.ts';
import { refuseFile, refuseUnusable } from './refusals.ts';
import { RegistryError, translate } from './registry-error.ts';
import { alreadyReleased, releasePath } from './releases.ts';
import { prepareStatements } from './statements.ts';
import type {
  AliasChange,
  AliasTarget,
  AuditAction,
  AuditEntry,
  FoundModel,
  ListedModel,
  ReleaseAction,
} from './types.ts';
import { type Finding, verifyRegistry } from './verify.ts';

export { RegistryError, type RegistryFault } from './registry-error.ts';
export type * from './types.ts';

export interface RegistryOptions {
  /** Make the registry where there is none. */
  readonly create: boolean;
  /** Wall clock. */
  readonly nowMs: () => number;
  /** Who does it, for the audit log: user@host. */
  readonly actor: string;
  /** In the executable: `openDatabase` of agent/native.ts. */
  readonly openDatabase: OpenDatabase;
}

const INDEX_FILE = 'registry.db';

/**
 * Models by name and version in one directory: an SQLite index, and the artifacts beside it by their SHA-256. A version
 * never changes and is never taken away; aliases move. Several processes at once are safe: each change is one
 * transaction, and a version is on disk before the index names it.
 */
export class Registry {
  readonly directory: string;
  readonly #path: string;
  readonly #db: Database;
  readonly #objects: Objects;
  readonly #options: RegistryOptions;
  readonly #sql;

  private constructor(directory: string, path: string, db: Database, options: RegistryOptions) {
    this.directory = directory;
    this.#path = path;
    this.#db = db;
    this.#objects = new Objects(directory);
    this.#options = options;
    this.#sql = prepareStatements(db);
  }

  /** @throws RegistryError where it can't be opened, or there is none and none is to be made */
  static open(directory: string, options: RegistryOptions): Registry {
    const path = join(directory, INDEX_FILE);
    refuseFile(directory, INDEX_FILE);
    if (!options.create && !existsSync(path)) {
      throw new RegistryError(
        'absent',
        `there is no model registry in ${directory}. Training or importing a model makes one; another is named with --registry or EDGEWOOD_REGISTRY.`,
      );
    }
    try {
      makeDirectory(directory);
      const db = openIndex(path, options.openDatabase, options.nowMs);
      try {
        return new Registry(directory, path, db, options);
      } catch (error) {
        db.close();
        throw error;
      }
    } catch (error) {
      throw translate(error, path);
    }
  }

  /**
   * Gives the next version of `name`.
   * @param make gets the version and its time, and returns the artifact and what is kept with it; called within the
   * transaction, so that no other process can be given the same number
   */
  register(
    name: string,
    why: string | null,
    make: (version: number, createdAt: string) => { bytes: Uint8Array; record: ModelRecord },
  ): ModelRecord {
    checkName(name);
    return this.#write((time) => {
      this.#sql.addModel.run(name);
      const model = this.#modelId(name);
      const version = (this.#sql.newest.get(model) ?? 0) + 1;
      const { bytes, record } = make(version, time);
      const sha256 = artifactSha256(bytes);
      const own = { name, version, createdAt: time, sha256, bytes: bytes.length };
      for (const [key, value] of Object.entries(own)) {
        if (record[key as keyof typeof own] !== value) throw new Error(`a record with another ${key}`);
      }
      refuseUnusable(bytes);
      this.#objects.write(sha256, bytes);
      const text = JSON.stringify(record);
      this.#sql.addVersion.run(model, version, time, sha256, bytes.length, text);
      this.#log(time, 'register', model, { version, why });
      return JSON.parse(text) as ModelRecord;
    });
  }

  /** Models by name. */
  list(): ListedModel[] {
    return this.#read(() =>
      this.#sql.models.all().map(({ id, name }) => ({
        name,
        versions: this.#sql.versions.all(id).map((row) => this.#parse(name, row.version, row.record)),
        aliases: this.#aliases(id),
      })),
    );
  }

  /** @param versionOrAlias a number, an alias, or `latest` */
  get(name: string, versionOrAlias: string): FoundModel {
    return this.#read(() => {
      const model = this.#modelId(name);
      const version = this.#resolve(name, model, versionOrAlias);
      const row = this.#sql.version.get(model, version);
      if (row === undefined) throw this.#noVersion(name, model, version);
      const aliases = this.#aliases(model).filter((target) => target.version === version);
      return { record: this.#parse(name, version, row.record), aliases: aliases.map(({ alias }) => alias) };
    });
  }

  /** The artifact, too. @throws RegistryError where the file is missing or damaged */
  read(name: string, versionOrAlias: string): FoundModel & { readonly bytes: Uint8Array } {
    const found = this.get(name, versionOrAlias);
    const { version, sha256 } = found.record;
    const bytes = this.#read(() => this.#objects.read(sha256, `${name}@${version}`));
    return { ...found, bytes };
  }

  /**
   * Points an alias to a version.
   * @param expected where the caller believes it to point (null: nowhere); elsewhere, nothing is changed
   * @throws RegistryError 'conflict' where it points elsewhere
   */
  setAlias(
    name: string,
    alias: string,
    version: number,
    { expected, why }: { readonly expected?: number | null; readonly why: string | null },
  ): AliasChange {
    checkAlias(alias);
    return this.#write((time) => {
      const model = this.#modelId(name);
      if (this.#sql.version.get(model, version) === undefined) throw this.#noVersion(name, model, version);
      const from = this.#pointsTo(name, model, alias, expected);
      if (from === version) return { name, alias, from, to: version };
      if (from !== null) this.#sql.pushHistory.run({ model, alias, version: from });
      this.#sql.setAlias.run(model, alias, version);
      this.#log(time, 'alias', model, { alias, from, to: version, why });
      return { name, alias, from, to: version };
    });
  }

  removeAlias(
    name: string,
    alias: string,
    { expected, why }: { readonly expected?: number | null; readonly why: string | null },
  ): AliasChange {
    checkAlias(alias);
    return this.#write((time) => {
      const model = this.#modelId(name);
      const from = this.#pointsTo(name, model, alias, expected);
      if (from === null) throw this.#noAlias(name, model, alias);
      this.#sql.pushHistory.run({ model, alias, version: from });
      this.#sql.removeAlias.run(model, alias);
      this.#log(time, 'remove-alias', model, { alias, from, to: null, why });
      return { name, alias, from, to: null };
    });
  }

  /** Back to where the alias pointed before; the next one goes further back. */
  rollback(name: string, alias: string, why: string | null): AliasChange {
    checkAlias(alias);
    return this.#write((time) => {
      const model = this.#modelId(name);
      const from = this.#sql.alias.get(model, alias) ?? null;
      const before = this.#sql.topOfHistory.get(model, alias);
      if (before === undefined) {
        if (from === null) throw this.#noAlias(name, model, alias);
        throw new RegistryError(
          'conflict',
          `${name}@${alias} is version ${from}, and has never been another before that: there is nothing to roll back to.`,
        );
      }
      this.#sql.popHistory.run(model, alias, before.depth);
      this.#sql.setAlias.run(model, alias, before.version);
      this.#log(time, 'rollback', model, { alias, from, to: before.version, why });
      return { name, alias, from, to: before.version };
    });
  }

  /** Where the signed release of a version is, or would be. */
  releasePath(name: string, version: number): string {
    return releasePath(this.directory, name, version);
  }

  /** Keeps the first release of a version. @throws RegistryError 'conflict' where there is one */
  addRelease(name: string, version: number, envelope: string, why: string | null): string {
    return this.#write((time) => {
      const model = this.#modelId(name);
      const path = this.releasePath(name, version);
      if (existsSync(path)) throw alreadyReleased(name, version, path);
      makeDirectory(dirname(path));
      writeShared(path, envelope);
      this.#log(time, 'release', model, { version, why });
      return path;
    });
  }

  noteRelease(name: string, version: number, action: ReleaseAction, why: string | null): void {
    this.#write((time) => this.#log(time, action, this.#modelId(name), { version, why }));
  }

  /** Who did what, when and why; oldest first. */
  audit(name?: string): AuditEntry[] {
    return this.#read(() => {
      if (name === undefined) return this.#sql.audit.all();
      return this.#sql.auditOf.all(this.#modelId(name));
    });
  }

  /** All that is wrong with index and files; empty where nothing is. */
  verify(): Finding[] {
    // A registration under way would look like a stray.
    return this.#write(() => verifyRegistry(this.#db, this.#objects, this.#sql));
  }

  close(): void {
    this.#db.close();
  }

  #resolve(name: string, model: number, versionOrAlias: string): number {
    const version = versionNumber(versionOrAlias);
    if (version !== null) return version;
    if (/^\d+$/.test(versionOrAlias)) throw this.#noVersion(name, model, versionOrAlias);
    const found =
      versionOrAlias === LATEST ? this.#sql.newest.get(model) : this.#sql.alias.get(model, versionOrAlias);
    if (found === undefined || found === null) throw this.#noAlias(name, model, versionOrAlias);
    return found;
  }

  #pointsTo(name: string, model: number, alias: string, expected: number | null | undefined): number | null {
    const current = this.#sql.alias.get(model, alias) ?? null;
    if (expected === undefined || expected === current) return current;
    const words = (version: number | null): string =>
      version === null ? 'nowhere' : `to version ${version}`;
    throw new RegistryError(
      'conflict',
      `${name}@${alias} points ${words(current)}, not ${words(expected)}: somebody has changed it. Nothing was done; see \`edgewood models log ${name}\`.`,
    );
  }

  #modelId(name: string): number {
    checkName(name);
    const id = this.#sql.modelId.get(name);
    if (id !== undefined) return id;
    const names = this.#sql.models.all().map((model) => model.name);
    throw new RegistryError(
      'absent',
      `${this.directory} has no model ${name}${names.length === 0 ? '; it is empty' : `; it has ${someOf(names)}`}.`,
    );
  }

  /** @param version a text: digits that are no version, such as 0 and 02 */
  #noVersion(name: string, model: number, version: number | string): RegistryError {
    const newest = this.#sql.newest.get(model) ?? 0;
    const own = newest > 1 ? `1 to ${newest}` : '1';
    return new RegistryError(
      'absent',
      typeof version === 'number'
        ? `${name} has no version ${version}; its versions are ${own}.`
        : `${name}@${version.slice(0, MOST_DIGITS)}: versions are 1, 2, …; ${name} has ${own}.`,
    );
  }

  #noAlias(name: string, model: number, alias: string): RegistryError {
    const known = [...this.#aliases(model).map((target) => target.alias), LATEST];
    return new RegistryError(
      'absent',
      `${name} has no alias ${JSON.stringify(alias)}; it has ${someOf(known)}.`,
    );
  }

  #aliases(model: number): AliasTarget[] {
    return this.#sql.aliases.all(model).sort((a, b) => compareAliases(a.alias, b.alias));
  }

  #parse(name: string, version: number, text: string): ModelRecord {
    try {
      return JSON.parse(text) as ModelRecord;
    } catch (cause) {
      const message = `${this.#path}: the record of ${name}@${version} is damaged. Restore the index from a backup.`;
      throw new RegistryError('damaged', message, { cause });
    }
  }

  #log(
    time: string,
    action: AuditAction,
    model: number,
    entry: Partial<Pick<AuditEntry, 'version' | 'alias' | 'from' | 'to' | 'why'>>,
  ): void {
    const { version = null, alias = null, from = null, to = null, why = null } = entry;
    this.#sql.log.run(time, this.#options.actor, action, model, version, alias, from, to, why);
  }

  #write<T>(work: (time: string) => T): T {
    return this.#read(() =>
      this.#db.transaction(() => work(new Date(this.#options.nowMs()).toISOString())).immediate(),
    );
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }
}

const MOST_NAMED = 8;
const MOST_DIGITS = 20;

function someOf(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  return names.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
