import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { DATABASE_FILE, MARK_FILE } from '../../agent/store/state-directory.ts';
import type { Random } from '../../core/random.ts';

const WAL_FILE = `${DATABASE_FILE}-wal`;
const SECTOR = 512;
const PAGE = 4096;
const WAL_HEADER = 32;
const NO_LIMIT = 1_073_741_823;

type Image = Map<string, Buffer | null>;

/**
 * The state directory on a disk that can be full, be damaged, and lose what was not synced: real files under a real
 * SQLite. A power cut leaves what stood at the last fsync, all that was written, or something in between.
 */
export class SimulatedDisk {
  directory: string;
  readonly #random: Random;
  #databases: Database[] = [];
  #synced: Image = new Map();
  /** The mark as it was one durable step ago: a cut may come between the commit and the mark. */
  #markBefore: Buffer | null = null;
  #full = false;

  constructor(random: Random) {
    this.#random = random;
    this.directory = mkdtempSync(join(tmpdir(), 'edgewood-simulation-'));
  }

  readonly openDatabase = (path: string): Database => {
    const db = new SqliteDatabase(path);
    this.#databases.push(db);
    if (this.#full) this.#limit(db);
    return db;
  };

  #limit(db: Database): void {
    if (!db.open) return;
    const pages = this.#full ? (db.pragma('page_count', { simple: true }) as number) : NO_LIMIT;
    db.pragma(`max_page_count = ${Math.max(1, pages)}`);
  }

  setFull(full: boolean): void {
    this.#full = full;
    for (const db of this.#databases) this.#limit(db);
  }

  /** What was written so far is on the platter. */
  sync(): void {
    this.#markBefore = this.#synced.get(MARK_FILE) ?? null;
    this.#synced = this.#image();
  }

  #image(): Image {
    return new Map(
      [DATABASE_FILE, WAL_FILE, MARK_FILE].map((name) => {
        const path = join(this.directory, name);
        return [name, existsSync(path) ? readFileSync(path) : null];
      }),
    );
  }

  /** The process is gone, its files are as it left them. */
  crash(): void {
    this.#moveTo(this.#image());
  }

  /** All that was not synced is gone, or was written in part. */
  powerCut(): string {
    const now = this.#image();
    const kind = this.#random.float();
    if (kind < 0.4 || this.#synced.size === 0) {
      this.#moveTo(this.#synced.size === 0 ? now : this.#synced);
      return 'what was synced';
    }
    const image = new Map(this.#synced);
    if (kind < 0.55 && this.#markBefore !== null) {
      image.set(MARK_FILE, this.#markBefore);
      this.#moveTo(image);
      return 'before the mark';
    }
    const torn = this.#torn(now);
    if (torn !== null) {
      image.set(WAL_FILE, torn);
      this.#moveTo(image);
      return 'torn log';
    }
    this.#moveTo(now);
    return 'all that was written';
  }

  /** A prefix of what the log holds beyond what was synced, some of its sectors never written. */
  #torn(now: Image): Buffer | null {
    const before = this.#synced.get(WAL_FILE);
    const after = now.get(WAL_FILE);
    const sameDatabase = this.#synced.get(DATABASE_FILE)?.equals(now.get(DATABASE_FILE) ?? Buffer.alloc(0));
    if (!before || !after || !sameDatabase || after.length < before.length) return null;
    if (!before.subarray(0, WAL_HEADER).equals(after.subarray(0, WAL_HEADER))) return null;
    const length = before.length + Math.floor(this.#random.float() * (after.length - before.length + 1));
    const torn = Buffer.from(after.subarray(0, length));
    for (let at = Math.ceil(before.length / SECTOR) * SECTOR; at + SECTOR <= length; at += SECTOR) {
      if (this.#random.float() < 0.3) torn.fill(0, at, at + SECTOR);
    }
    return torn;
  }

  /** Pages of the closed database are overwritten. */
  damage(): boolean {
    const path = join(this.directory, DATABASE_FILE);
    if (!existsSync(path)) return false;
    const bytes = readFileSync(path);
    const pages = Math.floor(bytes.length / PAGE);
    if (pages < 4) return false;
    for (let i = 0; i < 3; i++) {
      const page = 1 + Math.floor(this.#random.float() * (pages - 1));
      for (let at = page * PAGE; at < page * PAGE + 600; at++) bytes[at] = this.#random.uint32() & 255;
    }
    writeFileSync(path, bytes);
    return true;
  }

  /** Another directory, so that nothing which the dead process still holds open is in it. */
  #moveTo(image: Image): void {
    const next = mkdtempSync(join(tmpdir(), 'edgewood-simulation-'));
    const models = join(this.directory, 'models');
    mkdirSync(next, { recursive: true });
    if (existsSync(models)) cpSync(models, join(next, 'models'), { recursive: true });
    for (const [name, bytes] of image) if (bytes !== null) writeFileSync(join(next, name), bytes);
    this.remove();
    this.directory = next;
    this.#synced = this.#image();
    this.#markBefore = null;
  }

  remove(): void {
    for (const db of this.#databases.splice(0)) if (db.open) db.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
