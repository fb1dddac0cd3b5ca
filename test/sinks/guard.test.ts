import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketGuard } from '../../agent/sinks/mqtt/guard.ts';

/** A packet of type PUBLISH with a body of `length` bytes, by the definition of the remaining length. */
function packet(length: number): Buffer {
  const header = [0x30];
  let rest = length;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    header.push(rest > 0 ? byte | 128 : byte);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)]);
}

test('packets within the limit pass, however they are cut into chunks; the first above is told', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      fc.option(fc.integer({ min: 401, max: 100_000 })),
      (lengths, cuts, oversized) => {
        const all = Buffer.concat([...lengths, ...(oversized === null ? [] : [oversized])].map(packet));
        const guard = new PacketGuard(400);
        let fault: string | null = null;
        let at = 0;
        for (let i = 0; at < all.length && fault === null; i++) {
          const size = cuts[i % cuts.length] as number;
          fault = guard.check(all.subarray(at, at + size));
          at += size;
        }
        expect(fault).toBe(oversized === null ? null : 'oversized');
      },
    ),
  );
});

test('a length of five bytes is malformed', () => {
  expect(new PacketGuard(1e9).check(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe('malformed');
});

test('arbitrary bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void new PacketGuard(1000).check(bytes)),
  );
});
