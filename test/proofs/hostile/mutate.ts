import type { Random } from '../../../core/random.ts';

const NASTY = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x22, 0x2c, 0x3a, 0x5c];

/** One to eight changes of a valid input: bits, bytes, lengths, pieces gone, doubled or moved. */
export function mutate(random: Random, input: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(input);
  const changes = 1 + (random.uint32() % 8);
  for (let i = 0; i < changes && bytes.length > 0; i++) {
    const at = random.uint32() % bytes.length;
    const length = 1 + (random.uint32() % Math.min(64, bytes.length));
    switch (random.uint32() % 7) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << (random.uint32() & 7));
        break;
      case 1:
        bytes[at] = random.uint32() & 255;
        break;
      case 2:
        bytes[at] = NASTY[random.uint32() % NASTY.length] as number;
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      case 5:
        bytes = bytes.subarray(0, at);
        break;
      default: {
        const noise = Buffer.from(Array.from({ length }, () => random.uint32() & 255));
        bytes = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
      }
    }
  }
  return bytes;
}

export const pick = <T>(random: Random, from: readonly T[]): T => from[random.uint32() % from.length] as T;
