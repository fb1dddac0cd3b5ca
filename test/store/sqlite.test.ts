import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { newEpochId } from '../../agent/store/events-out.ts';
import { APPLICATION_ID, MIGRATIONS, migrate } from '../../agent/store/migrations.ts';
import { readMark } from '../../agent/store/sequence-mark.ts';
import {
  DEFAULT_STORE_LIMITS,
  StoreCorruptError,
  StoreFullError,
  StoreUnusableError,
} from '../../agent/store/store.ts';
import { unprivileged } from '../support/unprivileged.ts';
import { agentEvent, alert, tombstonesOf } from './drafts.ts';
import { open, temporaryDirectory } from './helpers.ts';

const databaseIn = (directory: string): string => join(directory, 'edgewood.db');
const markIn = (directory: string): string => join(directory, 'sequence.json');
const corruptFilesIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.includes('.corrupt-'));

function filled(directory: string, events = 3): string {
  const store = open(directory);
  store.registerSinks(['a']);
  for (let t = 1; t <= 200; t++) {
    store.appendSample({ timeMs: t, values: new Float64Array(17).fill(t), score: 0.5, flags: 0 });
  }
  for (let i = 0; i < events; i++) store.commitTransition({ events: [alert('info', 2_000)] });
  store.close();
  return store.epoch;
}

describe('epochs', () => {
  it('continues after an orderly end, and after a crash between commit and mark', () => {
    const directory = temporaryDirectory();
    const first = open(directory);
    expect(first.epochReason).toBe('new');
    first.commitTransition({ events: [agentEvent()] });
    const behind = readFileSync(markIn(directory));
    first.commitTransition({ events: [agentEvent()] });
    first.close();
    writeFileSync(markIn(directory), behind);
    const second = open(directory);
    expect([second.epoch, second.epochReason]).toEqual([first.epoch, 'continued']);
    expect(second.commitTransition({ events: [agentEvent()] })[0]!.sequence.n).toBe(3);
    second.close();
    expect(readMark(markIn(directory))).toMatchObject({
      kind: 'read',
      epoch: first.epoch,
      n: 3,
      clean: true,
    });
  });

  it('begins anew when an older file was put back, and tells the sinks what may be missing', () => {
    const directory = temporaryDirectory();
    const old = filled(directory, 3);
    copyFileSync(databaseIn(directory), join(directory, 'copy'));
    const later = open(directory);
    later.commitTransition({ events: [agentEvent(), agentEvent()] });
    later.close();
    copyFileSync(join(directory, 'copy'), databaseIn(directory));
    const store = open(directory);
    expect(store.epochReason).toBe('restored');
    expect(store.findings).toHaveLength(1);
    expect(store.epoch > old).toBe(true);
    store.registerSinks(['a']);
    const waiting = store.pending('a', 10);
    expect(waiting.map((event) => event.id)).toEqual([
      `${old}-1`,
      `${old}-2`,
      `${old}-3`,
      `${store.epoch}-1`,
    ]);
    expect(tombstonesOf(waiting, 'a')).toMatchObject([
      { epoch: old, reason: 'store-restored', ranges: [[4, 5]] },
    ]);
    store.close();
  });

  it.each([
    ['the mark is gone', (d: string) => rmSync(markIn(d)), 'restored'],
    ['the mark is damaged', (d: string) => writeFileSync(markIn(d), '{"epoch":"x"'), 'restored'],
    [
      'a digit of the mark flipped',
      (d: string) => {
        writeFileSync(markIn(d), readFileSync(markIn(d), 'utf8').replace('"n":3', '"n":1'));
      },
      'restored',
    ],
    ['the database is gone', (d: string) => rmSync(databaseIn(d)), 'lost'],
    ['the database is empty', (d: string) => writeFileSync(databaseIn(d), ''), 'lost'],
  ])('begins anew when %s', (_, harm, reason) => {
    const directory = temporaryDirectory();
    const old = filled(directory);
    harm(directory);
    const store = open(directory);
    expect(store.epochReason).toBe(reason);
    expect(store.epoch > old).toBe(true);
    expect(store.commitTransition({ events: [agentEvent()] })[0]!.sequence.n).toBe(1);
    store.close();
    const next = open(directory);
    expect([next.epoch, next.epochReason]).toEqual([store.epoch, 'continued']);
    next.close();
  });

  it('remembers an earlier loss over a second one', () => {
    const directory = temporaryDirectory();
    const first = filled(directory, 2);
    rmSync(databaseIn(directory));
    open(directory).close(); // never registers its sinks
    rmSync(databaseIn(directory));
    const store = open(directory);
    store.registerSinks(['a']);
    expect(tombstonesOf(store.pending('a', 10), 'a')).toMatchObject([{ epoch: first, ranges: [[1, 2]] }]);
    store.close();
  });

  it('names epochs that sort, a clock set back included', () => {
    const hex = (): string => '000000';
    const first = newEpochId(1_700_000_000_000, hex, null);
    const second = newEpochId(5, hex, first);
    expect(second > first).toBe(true);
    expect(first).toHaveLength(15);
  });
});

describe('a damaged database', () => {
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['random bytes', (bytes) => Buffer.alloc(bytes.length, 0xa5)],
    ['text', () => Buffer.from('not a database, but longer than a header of one hundred bytes'.repeat(9))],
    ['truncated', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
    [
      'flipped pages',
      (bytes) => {
        for (let page = 1; page * 4096 < bytes.length; page++) {
          for (let i = 0; i < 16; i++) bytes[page * 4096 + i]! ^= 0xff;
        }
        return bytes;
      },
    ],
  ])('is set aside, never deleted: %s', (_, harm) => {
    const directory = temporaryDirectory();
    const old = filled(directory);
    const bytes = harm(readFileSync(databaseIn(directory)));
    writeFileSync(databaseIn(directory), bytes);
    writeFileSync(markIn(directory), ''); // as after a crash: not clean
    const store = open(directory);
    expect(store.epochReason).toBe('quarantined');
    expect(store.epoch > old).toBe(true);
    const [kept] = corruptFilesIn(directory);
    expect(store.findings.join()).toContain(kept);
    // But for SQLite's own counters in the header page.
    expect(readFileSync(join(directory, kept!)).subarray(4096).equals(bytes.subarray(4096))).toBe(true);
    expect(store.commitTransition({ events: [agentEvent()] })).toHaveLength(1);
    store.close();
  });

  it('that no check was due to find is set aside at the same start', () => {
    const directory = temporaryDirectory();
    const old = filled(directory, 60);
    const bytes = readFileSync(databaseIn(directory));
    for (let at = 4096 * 2; at < bytes.length; at += 4096) bytes.fill(0x5a, at, at + 200);
    writeFileSync(databaseIn(directory), bytes); // the mark says clean: no check at start
    const store = open(directory);
    expect(store.epochReason).toBe('quarantined');
    store.registerSinks(['a']);
    expect(tombstonesOf(store.pending('a', 9), 'a')).toMatchObject([
      { epoch: old, reason: 'store-quarantined' },
    ]);
    store.close();
  });

  it('is a StoreCorruptError to the caller', () => {
    const directory = temporaryDirectory();
    filled(directory, 1);
    const db = new Database(databaseIn(directory));
    const roots = db
      .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'incidents'")
      .pluck()
      .all();
    db.close();
    const bytes = readFileSync(databaseIn(directory));
    for (const root of roots) bytes.fill(0xee, (root - 1) * 4096, (root - 1) * 4096 + 64);
    writeFileSync(databaseIn(directory), bytes);
    const store = open(directory);
    expect(store.epochReason).toBe('continued');
    expect(() => store.incidents(5)).toThrow(StoreCorruptError);
    store.close();
    expect(readMark(markIn(directory))).toMatchObject({ clean: false, corrupt: true });
  });

  it('sets orphaned write-ahead logs aside too, and never overwrites what it kept', () => {
    const directory = temporaryDirectory();
    filled(directory);
    for (let i = 0; i < 3; i++) {
      writeFileSync(databaseIn(directory), 'x'.repeat(5_000));
      rmSync(markIn(directory));
      open(directory, { nowMs: () => 1_700_000_000_000 }).close();
    }
    expect(corruptFilesIn(directory)).toHaveLength(3);
    rmSync(databaseIn(directory));
    writeFileSync(`${databaseIn(directory)}-wal`, 'y'.repeat(5_000));
    open(directory).close();
    expect(corruptFilesIn(directory).filter((name) => name.endsWith('-wal'))).toHaveLength(1);
  });
});

describe('whose database', () => {
  it('refuses a newer version, naming both, and leaves it alone', () => {
    const directory = temporaryDirectory();
    filled(directory);
    const db = new Database(databaseIn(directory));
    db.pragma('user_version = 99');
    db.close();
    const before = readFileSync(databaseIn(directory));
    expect(() => open(directory)).toThrow(StoreUnusableError);
    expect(() => open(directory)).toThrow(/version 99.*up to 1/s);
    expect(readFileSync(databaseIn(directory)).equals(before)).toBe(true);
  });

  it.each([
    ['with an id of its own', 'PRAGMA application_id = 7'],
    ['without one', 'CREATE TABLE theirs (x)'],
  ])('refuses another application’s database %s', (_, sql) => {
    const directory = temporaryDirectory();
    const db = new Database(databaseIn(directory));
    db.exec(sql);
    db.close();
    expect(() => open(directory)).toThrow(/another application's database/);
  });

  it('migrates forward, all or nothing', () => {
    const db = new Database(':memory:');
    expect(migrate(db)).toBe(0);
    expect(db.pragma('application_id', { simple: true })).toBe(APPLICATION_ID);
    const next = [...MIGRATIONS, 'ALTER TABLE samples ADD COLUMN extra; UPDATE samples SET flags = 9'];
    db.exec("INSERT INTO samples VALUES (1, NULL, 0, x'')");
    expect(() => migrate(db, [...next, 'CREATE TABLE samples (x)'])).toThrow(/already exists/);
    expect(db.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length);
    expect(migrate(db, next)).toBe(MIGRATIONS.length);
    expect(db.prepare('SELECT flags FROM samples').pluck().get()).toBe(9);
    expect(migrate(db, next)).toBe(next.length);
  });
});

describe('the state directory', () => {
  it('is made private, whatever the umask', () => {
    const directory = join(temporaryDirectory(), 'deep', 'er');
    const umask = process.umask(0);
    try {
      const store = open(directory);
      store.commitTransition({ events: [agentEvent()] });
      const modeOf = (name: string): number => statSync(join(directory, name)).mode & 0o777;
      expect(statSync(directory).mode & 0o777).toBe(0o750);
      for (const name of ['edgewood.db', 'edgewood.db-wal', 'edgewood.db-shm', 'sequence.json']) {
        expect([name, modeOf(name)]).toEqual([name, 0o640]);
      }
      expect(modeOf('agent.lock')).toBe(0o600);
      store.close();
    } finally {
      process.umask(umask);
    }
  });

  it('belongs to one agent at a time; readers are welcome', () => {
    const directory = temporaryDirectory();
    const store = open(directory);
    store.commitTransition({ events: [agentEvent()] });
    expect(() => open(directory)).toThrow(StoreUnusableError);
    expect(() => open(directory)).toThrow(/another edgewood agent is using it/);
    const reader = new Database(databaseIn(directory), { readonly: true });
    expect(reader.prepare('SELECT count(*) FROM events').pluck().get()).toBe(1);
    reader.close();
    store.close();
    open(directory).close();
  });

  it('mends a lock file full of rubbish', () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'agent.lock'), 'rubbish'.repeat(1_000));
    const store = open(directory);
    expect(() => open(directory)).toThrow(/another edgewood agent/);
    store.close();
  });

  it('says what is wrong where it can’t be used', () => {
    const parent = temporaryDirectory();
    writeFileSync(join(parent, 'file'), '');
    expect(() => open(join(parent, 'file'))).toThrow(/file: is not a directory\. .*--state-dir/);
    expect(() => open(join(parent, 'file', 'sub'))).toThrow(/sub: can't be created .*--state-dir/);
    expect(() => open('/proc/edgewood')).toThrow(StoreUnusableError);
  });

  it('refuses one it may not write', () => {
    const directory = temporaryDirectory();
    unprivileged(directory, () => {
      mkdirSync(join(directory, 'ro'));
      chmodSync(join(directory, 'ro'), 0o500);
      expect(() => open(join(directory, 'ro'))).toThrow(/is not writable/);
    });
  });
});

describe('a full database', () => {
  it('throws StoreFullError, writes nothing of that call, and recovers', () => {
    const directory = temporaryDirectory();
    const handles: Database.Database[] = [];
    const store = open(directory, {
      openDatabase: (path) => {
        const db = new Database(path);
        handles.push(db);
        return db;
      },
    });
    const db = handles.find((handle) => handle.name.endsWith('edgewood.db'))!;
    store.registerSinks(['a']);
    store.commitTransition({ events: [alert('info', 100), alert('warning', 100)] });
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
    expect(() => store.commitTransition({ events: [alert('info', 50_000)], state: { k: 'v' } })).toThrow(
      StoreFullError,
    );
    expect(() => {
      for (let t = 0; t < 1_000; t++) {
        store.appendSample({ timeMs: t, values: new Float64Array(17), score: 0, flags: 0 });
      }
    }).toThrow(StoreFullError);
    expect(store.getState('k')).toBeNull();
    expect(store.outbox('a').pending).toBe(2);
    expect(store.lastSamples(1)).toHaveLength(1);
    db.pragma('max_page_count = 1000000');
    expect(store.commitTransition({ events: [alert('info', 50_000)] })[0]!.sequence.n).toBe(3);
    store.close();
    expect(existsSync(`${databaseIn(directory)}-wal`)).toBe(false);
  });

  it('remembers what sinks settled while another program held the write lock', () => {
    const directory = temporaryDirectory();
    const store = open(directory);
    store.registerSinks(['a']);
    const [event, other] = store.commitTransition({ events: [alert('info'), agentEvent()] });
    const blocker = new Database(databaseIn(directory));
    blocker.exec('BEGIN IMMEDIATE');
    store.settle('a', [event!.sequence], []);
    expect(store.pending('a', 1)).toEqual([other]);
    expect(() => store.putState('k', 'v')).toThrow(StoreFullError);
    blocker.exec('ROLLBACK');
    blocker.close();
    expect(store.pending('a', 5)).toEqual([other]);
    expect(store.outbox('a').pending).toBe(1);
    store.close();
  });
});

describe('retention', () => {
  it('gives bytes back to the file system and stays bounded', () => {
    const directory = temporaryDirectory();
    const limits = { ...DEFAULT_STORE_LIMITS, databaseMaxBytes: 1_000_000 };
    const store = open(directory, { limits });
    let timeMs = 0;
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 2_000; i++) {
        store.appendSample({ timeMs: timeMs++, values: new Float64Array(40), score: 0, flags: 0 });
      }
      store.maintain(timeMs);
    }
    for (let i = 0; i < 3; i++) store.maintain(timeMs);
    store.close();
    expect(statSync(databaseIn(directory)).size).toBeLessThan(1_050_000);
  });
});
