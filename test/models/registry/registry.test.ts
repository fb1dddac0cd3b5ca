import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decodeModel } from '../../../models/artifact.ts';
import { type Registry, RegistryError } from '../../../models/registry/registry.ts';
import { translate } from '../../../models/registry/registry-error.ts';
import { tinyIsolationForest, tinyModel } from '../../support/artifacts.ts';
import { NOW_MS, openTestRegistry, registrable } from '../../support/records.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { unprivileged } from '../../support/unprivileged.ts';

const add = (registry: Registry, name = 'web', why: string | null = null) =>
  registry.register(name, why, (version, createdAt) => registrable(name, version, createdAt));

function opened(versions = 0): { registry: Registry; directory: string } {
  const directory = join(temporaryDirectory(), 'models', 'registry');
  const registry = openTestRegistry(directory);
  onTestFinished(() => registry.close());
  for (let i = 0; i < versions; i++) add(registry);
  return { registry, directory };
}

/** Fault and message of what is thrown. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof RegistryError) return `${error.fault}: ${error.message}`;
    throw error;
  }
  return 'nothing was refused';
}

describe('versions', () => {
  test('are numbered within a name, kept whole, and found by number, alias and latest', () => {
    const { registry, directory } = opened();
    const first = add(registry, 'web', 'a first one');
    const second = registry.register('web', null, (version, createdAt) =>
      registrable('web', version, createdAt, tinyModel()),
    );
    const other = add(registry, 'db');
    expect([first.version, second.version, other.version]).toEqual([1, 2, 1]);
    expect(first.createdAt).toBe(new Date(NOW_MS).toISOString());
    registry.setAlias('web', 'production', 1, { why: null });
    expect(registry.get('web', '1')).toEqual({ record: first, aliases: ['production'] });
    expect(registry.get('web', 'production').record).toEqual(first);
    expect(registry.get('web', 'latest')).toEqual({ record: second, aliases: [] });
    const { bytes } = registry.read('web', 'latest');
    expect(decodeModel(bytes)).toMatchObject({
      detector: 'metric-forests',
      provenance: { name: 'web', version: '2' },
    });
    expect(registry.list()).toEqual([
      { name: 'db', versions: [other], aliases: [] },
      { name: 'web', versions: [first, second], aliases: [{ alias: 'production', version: 1 }] },
    ]);
    const files = readdirSync(join(directory, 'objects'));
    expect(files.sort()).toEqual([first, second, other].map(({ sha256 }) => `${sha256}.edgewood`).sort());
    expect(statSync(join(directory, 'objects', files[0] as string)).mode & 0o777).toBe(0o644);
    expect(registry.verify()).toEqual([]);
  });

  test('can be changed by nobody, not even with SQL', () => {
    const { directory } = opened(1);
    const db = new Database(join(directory, 'registry.db'));
    onTestFinished(() => void db.close());
    expect(() => db.exec("UPDATE versions SET record = '{}'")).toThrow('versions are immutable');
    expect(() => db.exec('DELETE FROM versions')).toThrow('versions are immutable');
    expect(() => db.exec("UPDATE audit SET actor = 'nobody'")).toThrow('the audit log is immutable');
    expect(() => db.exec('DELETE FROM audit')).toThrow('the audit log is immutable');
  });

  test('a registration that fails leaves nothing, and its number is given again', () => {
    const { registry } = opened(1);
    const failing = (): unknown =>
      registry.register('web', null, () => {
        throw new Error('no model');
      });
    expect(failing).toThrow('no model');
    expect(() =>
      registry.register('other', null, () => {
        throw new Error('no model');
      }),
    ).toThrow('no model');
    const wrong = (): unknown =>
      registry.register('web', null, (version, createdAt) => registrable('web', version + 1, createdAt));
    expect(wrong).toThrow('a record with another version');
    expect(registry.list().map(({ name, versions }) => [name, versions.length])).toEqual([['web', 1]]);
    expect(add(registry).version).toBe(2);
    expect(registry.verify()).toEqual([]);
  });

  test('what is not there is named, with what is', () => {
    const { registry, directory } = opened(2);
    registry.setAlias('web', 'staging', 1, { why: null });
    expect(refusal(() => registry.get('db', '1'))).toBe(`absent: ${directory} has no model db; it has web.`);
    expect(refusal(() => registry.get('web', '3'))).toBe(
      'absent: web has no version 3; its versions are 1 to 2.',
    );
    expect(refusal(() => registry.get('web', 'production'))).toBe(
      'absent: web has no alias "production"; it has staging, latest.',
    );
    for (const version of ['0', '02']) {
      expect(refusal(() => registry.get('web', version))).toBe(
        `absent: web@${version}: versions are 1, 2, …; web has 1 to 2.`,
      );
    }
    expect(refusal(() => registry.setAlias('web', 'production', 3, { why: null }))).toMatch(/^absent/);
    expect(refusal(() => registry.removeAlias('web', 'production', { why: null }))).toMatch(/^absent/);
    expect(refusal(() => registry.rollback('web', 'production', null))).toMatch(/^absent/);
    for (const name of ['', '-x', 'a b', '../x', 'x'.repeat(65), 'ä']) {
      expect(refusal(() => add(registry, name))).toMatch(/^badName: .* is no name for a model/);
    }
    for (const alias of ['', 'Production', '1st', 'a_b', 'x'.repeat(33), 'latest']) {
      expect(refusal(() => registry.setAlias('web', alias, 1, { why: null }))).toMatch(/^badName/);
    }
  });
});

describe('aliases', () => {
  test('move by compare-and-swap, and back through what they were, never to and fro', () => {
    const { registry } = opened(4);
    const set = (version: number, expected?: number | null) =>
      registry.setAlias(
        'web',
        'production',
        version,
        expected === undefined ? { why: null } : { expected, why: null },
      );
    const where = (): number => registry.get('web', 'production').record.version;
    expect(set(1, null)).toEqual({ name: 'web', alias: 'production', from: null, to: 1 });
    expect(refusal(() => set(2, null))).toBe(
      'conflict: web@production points to version 1, not nowhere: somebody has changed it. Nothing was done; see `edgewood models log web`.',
    );
    expect(refusal(() => set(2, 3))).toMatch(/^conflict/);
    expect(where()).toBe(1);
    set(2, 1);
    set(2); // no change, and nothing to roll back
    set(3);
    expect(registry.rollback('web', 'production', null)).toMatchObject({ from: 3, to: 2 });
    expect(registry.rollback('web', 'production', null)).toMatchObject({ from: 2, to: 1 });
    expect(refusal(() => registry.rollback('web', 'production', null))).toMatch(
      /^conflict: web@production is version 1, and has never been another before/,
    );
    set(4);
    expect(registry.removeAlias('web', 'production', { expected: 4, why: null })).toMatchObject({
      from: 4,
      to: null,
    });
    expect(refusal(where)).toMatch(/^absent/);
    expect(registry.rollback('web', 'production', null)).toMatchObject({ from: null, to: 4 });
    expect(registry.rollback('web', 'production', null)).toMatchObject({ from: 4, to: 1 });
    expect(registry.verify()).toEqual([]);
  });

  test('known ones come first; who did what and why stands in the log', () => {
    const { registry } = opened();
    add(registry, 'web', 'nightly');
    add(registry, 'db');
    for (const alias of ['archived', 'canary', 'production', 'a', 'staging']) {
      registry.setAlias('web', alias, 1, { why: `for ${alias}` });
    }
    expect(registry.get('web', '1').aliases).toEqual(['production', 'staging', 'archived', 'a', 'canary']);
    registry.removeAlias('web', 'a', { why: 'not used' });
    registry.rollback('web', 'a', null);
    const all = registry.audit();
    expect(all).toHaveLength(9);
    const base = { time: new Date(NOW_MS).toISOString(), actor: 'tester@bench', name: 'web' };
    const none = { version: null, alias: null, from: null, to: null, why: null };
    expect(all[0]).toEqual({ ...base, ...none, action: 'register', version: 1, why: 'nightly' });
    expect(all[2]).toEqual({
      ...base,
      ...none,
      action: 'alias',
      alias: 'archived',
      to: 1,
      why: 'for archived',
    });
    expect(all.slice(-2)).toEqual([
      { ...base, ...none, action: 'remove-alias', alias: 'a', from: 1, why: 'not used' },
      { ...base, ...none, action: 'rollback', alias: 'a', to: 1 },
    ]);
    expect(registry.audit('db').map(({ action }) => action)).toEqual(['register']);
  });
});

describe('what is on the disk', () => {
  test('a damaged and a missing object are named, and never read', () => {
    const { registry, directory } = opened(3);
    const path = (version: number): string =>
      join(directory, 'objects', `${registry.get('web', String(version)).record.sha256}.edgewood`);
    const bytes = readFileSync(path(1));
    bytes[200] = (bytes[200] as number) ^ 1;
    writeFileSync(path(1), bytes);
    rmSync(path(2));
    expect(refusal(() => registry.read('web', '1'))).toMatch(
      /^damaged: web@1: .* is damaged: its SHA-256 is/,
    );
    expect(refusal(() => registry.read('web', '2'))).toMatch(/^damaged: web@2: .* is missing/);
    expect(registry.read('web', '3').record.version).toBe(3);
    expect(registry.verify().map(({ where, kind }) => [where, kind])).toEqual([
      ['web@1', 'damage'],
      ['web@2', 'damage'],
    ]);
    expect(registry.verify().map(({ what }) => what.startsWith(path(1)) || what.startsWith(path(2)))).toEqual(
      [true, true],
    );
  });

  test('files of no version are strays', () => {
    const { registry, directory } = opened(1);
    const { bytes, record } = registrable('web', 2, '', tinyIsolationForest(3));
    writeFileSync(join(directory, 'objects', `${record.sha256}.edgewood`), bytes);
    writeFileSync(join(directory, 'objects', `${record.sha256}.77.tmp`), bytes.subarray(9));
    expect(registry.verify()).toEqual([
      {
        where: `objects/${record.sha256}.77.tmp`,
        kind: 'stray',
        what: 'is none of the files kept here; it may be deleted',
      },
      {
        where: `objects/${record.sha256}.edgewood`,
        kind: 'stray',
        what: 'belongs to no version: a registration was cut short; it may be deleted',
      },
    ]);
  });

  test('a record that does not agree with its file is found', () => {
    const { registry, directory } = opened(1);
    const db = new Database(join(directory, 'registry.db'));
    onTestFinished(() => void db.close());
    db.exec(
      "DROP TRIGGER versions_stay; UPDATE versions SET record = json_set(record, '$.detector', 'other')",
    );
    expect(registry.verify()).toEqual([
      { where: 'web@1', kind: 'damage', what: 'detector is "other", "isolation-forest" expected' },
    ]);
    db.exec("UPDATE versions SET record = '{'");
    expect(refusal(() => registry.get('web', '1'))).toMatch(/^damaged: .* the record of web@1 is damaged/);
  });

  test('a newer index, a foreign database, a damaged one, and none at all are refused by name', () => {
    const { registry, directory } = opened(1);
    const path = join(directory, 'registry.db');
    registry.close();
    const db = new Database(path);
    db.pragma('user_version = 2');
    db.close();
    expect(refusal(() => openTestRegistry(directory))).toMatch(
      /^newer: .* has version 2, this edgewood knows versions up to 1/,
    );
    const other = temporaryDirectory();
    expect(refusal(() => openTestRegistry(other, false))).toMatch(/^absent: there is no model registry in/);
    expect(readdirSync(other)).toEqual([]);
    const foreign = new Database(join(other, 'registry.db'));
    foreign.exec('CREATE TABLE x (y)');
    foreign.close();
    expect(refusal(() => openTestRegistry(other))).toMatch(/^unusable: .* another application's database/);
    writeFileSync(
      join(other, 'registry.db'),
      'no database at all, but long enough to be looked at'.repeat(20),
    );
    expect(refusal(() => openTestRegistry(other))).toMatch(/^damaged: /);
    writeFileSync(join(other, 'file'), '');
    expect(refusal(() => openTestRegistry(join(other, 'file')))).toBe(
      `unusable: ${join(other, 'file')} is a file, expected a directory. Name the registry's directory with --registry or EDGEWOOD_REGISTRY.`,
    );
    expect(refusal(() => openTestRegistry(join(other, 'file', 'registry')))).toMatch(
      /^unusable: .*a file stands where a directory was expected/,
    );
  });

  test('who may read and not write is told why that is not enough, and what to do', () => {
    const { registry, directory } = opened(1);
    registry.close();
    chmodSync(dirname(dirname(directory)), 0o755);
    chmodSync(directory, 0o555);
    const asNobody = (): string =>
      unprivileged(temporaryDirectory(), () => refusal(() => openTestRegistry(directory, false)));
    const said = asNobody();
    chmodSync(directory, 0o700);
    expect(asNobody()).toMatch(/^unusable: .*you may not do that there \(EACCES\)/);
    chmodSync(directory, 0o755);
    expect(said).toMatch(/^unusable: the registry directory .* can't be written by you \(SQLITE_/);
    expect(said).toContain(`directory ${directory} can't`);
    expect(said).toMatch(/Reading needs write access.*\(WAL\).*chmod -R g\+w/);
  });

  test.each([
    ['ENOSPC', 'registry.db: the disk is full (ENOSPC). Make room and try again; nothing was changed.'],
    [
      'SQLITE_FULL',
      'registry.db: the disk is full (SQLITE_FULL). Make room and try again; nothing was changed.',
    ],
    ['EROFS', 'registry.db: the file system is read-only (EROFS). Name another registry with --registry.'],
  ])('%s has one cause', (code, message) => {
    const error = Object.assign(new Error('x'), { code });
    expect(translate(error, 'registry.db')).toMatchObject({ fault: 'unusable', message });
  });
});
