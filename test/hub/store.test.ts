import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../agent/native.ts';
import { newHost } from '../../hub/host.ts';
import { type InboundEvent, parseMessage } from '../../hub/inbound.ts';
import { HubReader } from '../../hub/store/reader.ts';
import { HubStore } from '../../hub/store/store.ts';
import { eventMessage, SITE, START_MS } from './messages.ts';
import { hubDatabase, openStore, temporaryDirectory } from './support.ts';

const event = (n: number, note = ''): InboundEvent => {
  const from = parseMessage(eventMessage('h1', 'e1', n, { data: { note } }));
  return (from as { observation: InboundEvent }).observation;
};
const write = (store: HubStore, from: number, to: number, receivedMs: number, note = ''): boolean =>
  store.write({
    hosts: [newHost(SITE, 'h1', START_MS)],
    events: Array.from({ length: to - from + 1 }, (_, i) => ({
      key: `${SITE}/h1`,
      event: event(from + i, note),
      receivedMs,
    })),
    reported: [],
    refusals: [],
  });

test('old events go, and then the oldest until the size is kept', () => {
  let nowMs = START_MS;
  const store = openStore(temporaryDirectory(), () => nowMs, { retentionMs: 86_400_000, maxBytes: 2e6 });
  write(store, 1, 10, nowMs);
  nowMs += 2 * 86_400_000;
  write(store, 11, 20, nowMs);
  expect(store.retain()).toEqual({ rows: 10, notCopied: {} });
  expect(store.after('events', 0, 100).map(({ n }) => n)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  for (let batch = 0; batch < 5; batch++)
    write(store, 100 + batch * 1000, 1099 + batch * 1000, nowMs, 'x'.repeat(1000));
  expect(store.databaseBytes()).toBeGreaterThan(5e6);
  for (let i = 0; i < 10; i++) store.retain();
  expect(store.databaseBytes()).toBeLessThan(2.5e6);
  expect(store.after('events', 5000, 100).at(-1)?.n).toBe(5099);
  store.close();
});

test('what retention removes before it was copied is counted; no id is given twice', () => {
  let nowMs = START_MS;
  const directory = temporaryDirectory();
  const store = openStore(directory, () => nowMs, { retentionMs: 86_400_000, maxBytes: 1e9 });
  write(store, 1, 10, nowMs);
  store.copied();
  store.taken('events', 4, 1);
  nowMs += 2 * 86_400_000;
  // The newest stays.
  expect(store.retain()).toEqual({ rows: 9, notCopied: { events: 5 } });
  write(store, 11, 11, nowMs);
  expect(store.after('events', store.cursor('events'), 10).map(({ n }) => n)).toEqual([10, 11]);
  store.close();
  const reader = HubReader.open(directory, hubDatabase);
  expect(reader.notCopied()).toEqual({ refused: 1, removed: 5 });
  reader.close();
});

test('a batch for others is bounded by what is in its rows', () => {
  const store = openStore(temporaryDirectory());
  write(store, 1, 100, START_MS, 'x'.repeat(50_000));
  const rows = store.after('events', 0, 500);
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.length).toBeLessThan(25);
  store.close();
});

test('who was only heard has not changed', () => {
  const directory = temporaryDirectory();
  const store = openStore(directory);
  const reader = HubReader.open(directory, hubDatabase);
  const [a, b] = [newHost(SITE, 'a', START_MS), newHost(SITE, 'b', START_MS)];
  const put = (...hosts: (typeof a)[]) => store.write({ hosts, events: [], reported: [], refusals: [] });
  put(a, b);
  const change = Math.max(...reader.hosts().map(({ change }) => change));
  put({ ...a, lastSeenMs: START_MS + 5 }, { ...b, presence: 'lost' });
  expect(reader.hosts(change).map(({ host }) => host.hostId)).toEqual(['b']);
  expect(reader.host(SITE, 'a')?.host.lastSeenMs).toBe(START_MS + 5);
  reader.close();
  store.close();
});

test('a full disk writes nothing, and says so; room again, and it goes on', () => {
  const directory = temporaryDirectory();
  let room = Number.MAX_SAFE_INTEGER;
  const store = HubStore.open(directory, {
    openDatabase: (path) => {
      const db = openDatabase(path);
      const transaction = db.transaction.bind(db);
      db.transaction = ((work: () => void) => {
        db.pragma(`max_page_count = ${room}`);
        return transaction(work);
      }) as typeof db.transaction;
      return db;
    },
    nowMs: () => START_MS,
    randomHex: () => 'ab',
    limits: { retentionMs: 1e12, maxBytes: 1e12 },
  });
  expect(write(store, 1, 1, START_MS)).toBe(true);
  room = 30;
  expect(write(store, 2, 400, START_MS, 'x'.repeat(1000))).toBe(false);
  expect(store.after('events', 0, 10)).toHaveLength(1);
  room = 1e6;
  expect(write(store, 2, 400, START_MS, 'x'.repeat(1000))).toBe(true);
  expect(store.after('events', 0, 1000)).toHaveLength(400);
  store.close();
});

test('what is no hub’s database is refused in words, and left as it is', () => {
  const directory = temporaryDirectory();
  expect(() => HubReader.open(directory, hubDatabase)).toThrow(/no hub has written to/);
  const path = join(directory, 'hub.db');
  const other = openDatabase(path);
  other.exec('CREATE TABLE theirs (x)');
  other.close();
  const before = readFileSync(path);
  expect(() => openStore(directory)).toThrow(/another application's database/);
  expect(readFileSync(path).equals(before)).toBe(true);
  writeFileSync(path, 'no database at all, and long enough to look at');
  expect(() => openStore(directory)).toThrow(/Move the file away/);
});
