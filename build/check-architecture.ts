/** Holds every source file against the map of the house: `npm run check`. Exit code 1 where something is astray. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkFile, FOLDERS } from './architecture.ts';

const root = join(import.meta.dirname, '..');
const files = globSync(
  FOLDERS.map((folder) => `${folder}/**/*.{ts,mts,cts,js,mjs,cjs}`),
  { cwd: root },
).sort();
const offences = files.flatMap((file) => checkFile(file, readFileSync(join(root, file), 'utf8')));
for (const offence of offences) console.error(offence);
console.log(`architecture: ${files.length} files, ${offences.length} offences`);
process.exitCode = offences.length === 0 ? 0 : 1;
