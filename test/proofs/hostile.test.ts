import { describe, expect, test } from 'vitest';
import { fuzz, makeTargets } from './hostile/targets.ts';

/** `npm run prove:hostile`, scaled down. */
describe('what an enemy sends or leaves on the disk', () => {
  test('nothing but the promised errors', async () => {
    for (const target of await makeTargets()) {
      const { crashes } = await fuzz(target, 150, 1);
      await target.close();
      expect({ target: target.name, crashes }).toEqual({ target: target.name, crashes: [] });
    }
  });
});
