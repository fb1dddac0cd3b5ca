import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { ReleaseReference } from '../../core/protocol/trust.ts';
import { makeDirectory, type OpenDatabase, openIndex } from '../registry/index-schema.ts';
import { RegistryError, translate } from '../registry/registry-error.ts';
import { hostKey, type KnownHost, type Progress, type RolloutPlan } from './plan.ts';
import {
  type Change,
  LAYOUT,
  type LoggedDecision,
  type StoredDocument,
  type StoredRollout,
} from './store-schema.ts';

export type { Change, LoggedDecision, StoredDocument, StoredRollout } from './store-schema.ts';

const FILE = 'rollouts.db';

export interface RolloutStoreOptions {
  readonly create: boolean;
  readonly nowMs: () => number;
  readonly actor: string;
  readonly openDatabase: OpenDatabase;
}

/** The single writer of rollouts: whoever decides on what was true before another wrote is refused. */
export class RolloutStore {
  readonly #path: string;
  readonly #db: Database;
  readonly #options: RolloutStoreOptions;

  private constructor(path: string, db: Database, options: RolloutStoreOptions) {
    this.#path = path;
    this.#db = db;
    this.#options = options;
  }

  /** @throws RegistryError where it can't be opened, or there is none and none is to be made */
  static open(directory: string, options: RolloutStoreOptions): RolloutStore {
    const path = join(directory, FILE);
    if (!options.create && !existsSync(path)) {
      throw new RegistryError(
        'absent',
        `there are no rollouts in ${directory}. \`edgewood rollout start\` begins one; another registry is named with --registry or EDGEWOOD_REGISTRY.`,
      );
    }
    try {
      makeDirectory(directory);
      return new RolloutStore(path, openIndex(path, options.openDatabase, options.nowMs, LAYOUT), options);
    } catch (error) {
      throw translate(error, path);
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Models that have a rollout. */
  models(): string[] {
    return this.#all<{ model: string }>('SELECT DISTINCT model FROM rollouts ORDER BY model').map(
      ({ model }) => model,
    );
  }

  /** The newest of a model; null: there is none. */
  current(model: string): StoredRollout | null {
    return this.#rollout('SELECT * FROM rollouts WHERE model = ? ORDER BY id DESC LIMIT 1', model);
  }

  /** The last release that reached every selected host: the next rollout's baseline. */
  lastCompleted(model: string): ReleaseReference | null {
    const found = this.#rollout(
      "SELECT * FROM rollouts WHERE model = ? AND progress ->> 'status' = 'completed' ORDER BY id DESC LIMIT 1",
      model,
    );
    return found?.plan.release ?? null;
  }

  /** The newest of a model; null: there is none. */
  newestDocument(model: string): StoredDocument | null {
    const sql =
      'SELECT version, sha256, envelope FROM documents WHERE model = ? ORDER BY version DESC LIMIT 1';
    return this.#all<StoredDocument>(sql, model)[0] ?? null;
  }

  /** Sites that have ever had a rollout of this model: they get each later one. */
  sites(model: string): string[] {
    return this.#all<{ site: string }>('SELECT site FROM sites WHERE model = ? ORDER BY site', model).map(
      ({ site }) => site,
    );
  }

  /** Hosts that were ever heard of. */
  hosts(): Pick<KnownHost, 'site' | 'hostId'>[] {
    return this.#all('SELECT site, host_id AS "hostId" FROM hosts ORDER BY site, host_id');
  }

  rememberHosts(hosts: readonly Pick<KnownHost, 'site' | 'hostId'>[]): void {
    const known = new Set(this.hosts().map(hostKey));
    const fresh = hosts.filter((host) => !known.has(hostKey(host)));
    if (fresh.length === 0) return;
    this.#write(() => {
      const add = this.#db.prepare('INSERT OR IGNORE INTO hosts (site, host_id) VALUES (?, ?)');
      for (const { site, hostId } of fresh) add.run(site, hostId);
    });
  }

  /** Oldest first. */
  history(model: string | null): LoggedDecision[] {
    const columns = 'SELECT time, actor, model, action, version, why, figures FROM decisions';
    return model === null
      ? this.#all(`${columns} ORDER BY id`)
      : this.#all(`${columns} WHERE model = ? ORDER BY id`, model);
  }

  /** A new rollout with its first document. */
  start(
    plan: RolloutPlan,
    release: string,
    progress: Progress,
    document: StoredDocument,
    sites: readonly string[],
    change: Change,
  ): StoredRollout {
    return this.#write((time) => {
      const { model } = plan;
      const running = this.current(model);
      if (running !== null && running.progress.status === 'running') throw this.#overtaken(model);
      this.#requireNext(model, document);
      const { lastInsertRowid } = this.#db
        .prepare('INSERT INTO rollouts (model, plan, release, progress) VALUES (?, ?, ?, ?)')
        .run(model, JSON.stringify(plan), release, JSON.stringify(progress));
      const id = Number(lastInsertRowid);
      const add = this.#db.prepare('INSERT OR IGNORE INTO sites (model, site) VALUES (?, ?)');
      for (const site of sites) add.run(model, site);
      this.#issue(model, id, document);
      this.#log(time, model, id, change, document.version);
      return { id, model, plan, release, progress };
    });
  }

  /**
   * The next step of a rollout.
   * @param document null where none is issued
   * @throws RegistryError 'conflict' where another process has taken a step since `before` was read
   */
  step(
    before: StoredRollout,
    progress: Progress,
    document: StoredDocument | null,
    change: Change,
  ): StoredRollout {
    return this.#write((time) => {
      if (document !== null) this.#requireNext(before.model, document);
      this.#save(before, progress);
      if (document !== null) this.#issue(before.model, before.id, document);
      this.#log(time, before.model, before.id, change, document?.version ?? null);
      return { ...before, progress };
    });
  }

  /** What was seen, with nothing decided: when enough hosts had committed, who has failed. */
  note(before: StoredRollout, progress: Progress): StoredRollout {
    if (JSON.stringify(progress) === JSON.stringify(before.progress)) return before;
    return this.#write(() => {
      this.#save(before, progress);
      return { ...before, progress };
    });
  }

  /**
   * Takes what lay at the broker into the books: this registry's next document comes after it. Of the same version as
   * one that is here, it takes that one's number only: which of the two a host has is not known.
   */
  adopt(
    model: string,
    document: StoredDocument,
    after: (progress: Progress, plan: RolloutPlan) => Progress,
  ): void {
    this.#write((time) => {
      const rollout = this.current(model);
      const newest = this.newestDocument(model)?.version ?? 0;
      if (document.version > newest) this.#issue(model, rollout?.id ?? null, document);
      if (rollout !== null) this.#save(rollout, after(rollout.progress, rollout.plan));
      const change = { action: 'adopt', why: `payload ${document.sha256}`, figures: null } as const;
      this.#log(time, model, rollout?.id ?? null, change, document.version);
    });
  }

  #save(before: StoredRollout, progress: Progress): void {
    const { changes } = this.#db
      .prepare('UPDATE rollouts SET progress = ? WHERE id = ? AND progress = ?')
      .run(JSON.stringify(progress), before.id, JSON.stringify(before.progress));
    if (changes !== 1) throw this.#overtaken(before.model);
  }

  #requireNext(model: string, { version }: StoredDocument): void {
    if (version !== (this.newestDocument(model)?.version ?? 0) + 1) throw this.#overtaken(model);
  }

  #issue(model: string, rollout: number | null, { version, sha256, envelope }: StoredDocument): void {
    this.#db
      .prepare('INSERT INTO documents (model, version, rollout, sha256, envelope) VALUES (?, ?, ?, ?, ?)')
      .run(model, version, rollout, sha256, envelope);
  }

  #log(time: string, model: string, rollout: number | null, change: Change, version: number | null): void {
    const { action, why, figures } = change;
    this.#db
      .prepare(
        'INSERT INTO decisions (time, actor, model, rollout, action, version, why, figures) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        time,
        this.#options.actor,
        model,
        rollout,
        action,
        version,
        why,
        figures === null ? null : JSON.stringify(figures),
      );
  }

  #overtaken(model: string): RegistryError {
    return new RegistryError(
      'conflict',
      `another process has changed the rollout of ${model} meanwhile. Nothing was done; see \`edgewood rollout status ${model}\`.`,
    );
  }

  #rollout(sql: string, model: string): StoredRollout | null {
    const row = this.#all<{ id: number; plan: string; release: string; progress: string }>(sql, model)[0];
    if (row === undefined) return null;
    const { id, plan, release, progress } = row;
    try {
      return { id, model, plan: JSON.parse(plan), release, progress: JSON.parse(progress) };
    } catch (cause) {
      throw new RegistryError(
        'damaged',
        `${this.#path}: rollout ${id} of ${model} is damaged. Restore it from a backup.`,
        { cause },
      );
    }
  }

  #all<Row>(sql: string, ...parameters: readonly unknown[]): Row[] {
    try {
      return this.#db.prepare<unknown[], Row>(sql).all(...parameters);
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  #write<T>(work: (time: string) => T): T {
    try {
      return this.#db.transaction(() => work(new Date(this.#options.nowMs()).toISOString())).immediate();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }
}
