import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const heldBytes = (...args: string[]): number =>
  Number(
    execFileSync(process.execPath, ['--expose-gc', join(import.meta.dirname, 'buffer-child.ts'), ...args], {
      encoding: 'utf8',
    }),
  );

test('what the MQTT library keeps of each length of packet does not keep a slab of 64 kB with it', () => {
  expect(heldBytes('small')).toBeLessThan(1e6);
  // Else this test would prove nothing.
  expect(heldBytes()).toBeGreaterThan(5e6);
});
