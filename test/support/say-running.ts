import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Tells `npm test` (build/test.ts) which process runs this file of tests: a loop without end could not be ended from within. */
const folder = process.env['EDGEWOOD_TEST_RUNNING'];
if (folder !== undefined) writeFileSync(join(folder, String(process.pid)), expect.getState().testPath ?? '');
