import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { type Layout, makeDirectory, type OpenDatabase, openIndex } from './index-schema.ts';
import { RegistryError, translate } from './registry-error.ts';

/**
 * What was published to which site, in `published.db` beside the index: with the releases and models that lie there,
 * all that a broker which lost its retained messages needs. Roots are kept as they were published: the registry has
 * them from nowhere else.
 */
const LAYOUT: Layout = {
  applicationId: 0x45444750 /* EDGP */,
  version: 1,
  schema: `
  CREATE TABLE roots (
    site TEXT NOT NULL, version INTEGER NOT NULL, envelope TEXT NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (site, version)
  ) STRICT;
  CREATE TABLE releases (
    site TEXT NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (site, model, version)
  ) STRICT;
`,
};
const FILE = 'published.db';

export interface PublishedRoot {
  readonly version: number;
  readonly envelope: string;
}

export interface PublishedRelease {
  readonly model: string;
  readonly version: number;
}

export interface PublicationsOptions {
  readonly create: boolean;
  readonly nowMs: () => number;
  readonly openDatabase: OpenDatabase;
}

export class Publications {
  readonly #path: string;
  readonly #db: Database;
  readonly #options: PublicationsOptions;

  private constructor(path: string, db: Database, options: PublicationsOptions) {
    this.#path = path;
    this.#db = db;
    this.#options = options;
  }

  /** To be closed. @throws RegistryError where it can't be opened, or nothing was published and none is to be made */
  static open(directory: string, options: PublicationsOptions): Publications {
    const path = join(directory, FILE);
    if (!options.create && !existsSync(path)) {
      throw new RegistryError(
        'absent',
        `nothing was published from ${directory}. \`edgewood release publish\` does; another registry is named with --registry or EDGEWOOD_REGISTRY.`,
      );
    }
    try {
      makeDirectory(directory);
      return new Publications(path, openIndex(path, options.openDatabase, options.nowMs, LAYOUT), options);
    } catch (error) {
      throw translate(error, path);
    }
  }

  /** It is at the broker now. A root that got more signatures takes the place of the one before. */
  note(site: string, roots: readonly PublishedRoot[], { model, version }: PublishedRelease): void {
    const time = new Date(this.#options.nowMs()).toISOString();
    this.#guard(() =>
      this.#db
        .transaction(() => {
          const root = this.#db.prepare('INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?)');
          for (const one of roots) root.run(site, one.version, one.envelope, time);
          this.#db
            .prepare('INSERT OR IGNORE INTO releases VALUES (?, ?, ?, ?)')
            .run(site, model, version, time);
        })
        .immediate(),
    );
  }

  sites(): string[] {
    return this.#guard(() =>
      this.#db.prepare<[], string>('SELECT DISTINCT site FROM releases ORDER BY site').pluck().all(),
    );
  }

  /** Oldest first. */
  roots(site: string): PublishedRoot[] {
    const sql = 'SELECT version, envelope FROM roots WHERE site = ? ORDER BY version';
    return this.#guard(() => this.#db.prepare<[string], PublishedRoot>(sql).all(site));
  }

  releases(site: string): PublishedRelease[] {
    const sql = 'SELECT model, version FROM releases WHERE site = ? ORDER BY model, version';
    return this.#guard(() => this.#db.prepare<[string], PublishedRelease>(sql).all(site));
  }

  close(): void {
    this.#db.close();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }
}
