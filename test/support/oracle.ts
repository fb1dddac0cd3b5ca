import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Oracle values kept beside the tests (test/oracle/README.md says how they were made). */
export function readOracle<T>(name: string): T {
  return JSON.parse(gunzipSync(readFileSync(new URL(`../oracle/${name}`, import.meta.url))).toString()) as T;
}
