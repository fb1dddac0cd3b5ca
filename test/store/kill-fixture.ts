/** Writes until it is killed; says on stdout what the store has promised, one line each. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { openSqliteStore } from '../../agent/store/sqlite-store.ts';
import { alert } from './drafts.ts';

const store = openSqliteStore({
  stateDir: process.argv[2]!,
  openDatabase: (path) => new Database(path),
  nowMs: () => Date.now(),
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
});
store.registerSinks(['a']);
writeSync(1, `epoch ${store.epoch} ${store.epochReason}\n`);
for (let timeMs = Date.now(); ; timeMs++) {
  store.appendSample({ timeMs, values: new Float64Array(17), score: 0, flags: 0 });
  const [event] = store.commitTransition({ events: [alert('info', 500)] });
  writeSync(1, `committed ${event!.id}\n`);
  if (event!.sequence.n % 3 === 0) store.settle('a', [event!.sequence], []);
}
