/** One of several processes at one registry: registers, or swaps an alias; says what came of it. */
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Registry, RegistryError } from '../../../models/registry/registry.ts';
import { registrable } from '../../support/records.ts';

const [directory = '', work = '', count = '1', id = ''] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

/** The parent lets all of them go at once. */
process.stdin.once('data', () => {
  process.stdin.destroy();
  const registry = Registry.open(directory, {
    create: true,
    nowMs: Date.now,
    actor: `child-${id}@bench`,
    openDatabase: (path) => new Database(path),
  });
  for (let i = 0; i < Number(count); i++) {
    if (work === 'register') {
      const record = registry.register('web', null, (version, createdAt) =>
        registrable('web', version, createdAt),
      );
      say(`registered ${record.version}`);
    } else if (work === 'swap') {
      try {
        registry.setAlias('web', 'production', 2, { expected: 1, why: id });
        say(`won ${id}`);
      } catch (error) {
        if (!(error instanceof RegistryError) || error.fault !== 'conflict') throw error;
        say(`lost ${id}`);
      }
    }
  }
  registry.close();
});
say('ready');
