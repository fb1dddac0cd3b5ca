import { describe, expect, test } from 'vitest';
import { cleanMappings, trimMemory } from '../../agent/memory.ts';

const SMAPS = `00400000-00500000 r--p 00000000 fe:00 12                            /opt/edge wood
Size:               1024 kB
Anonymous:             0 kB
00500000-00700000 r-xp 00100000 fe:00 12                            /opt/edge wood
Anonymous:             0 kB
00700000-00800000 r--p 00300000 fe:00 12                            /opt/edge wood
Anonymous:            44 kB
00800000-00900000 rw-p 00400000 fe:00 12                            /opt/edge wood
Anonymous:             0 kB
00900000-00a00000 r-xp 00000000 fe:00 13                            /usr/lib/libc.so.6
Anonymous:             0 kB
7ffff000-7ffff100 rw-p 00000000 00:00 0                             [stack]
Anonymous:             0 kB
`;

describe('pages that only the start needed', () => {
  test("are those of the executable's own file that nobody wrote to", () => {
    expect(cleanMappings(SMAPS, '/opt/edge wood')).toEqual([
      { start: 0x400000n, bytes: 0x100000n },
      { start: 0x500000n, bytes: 0x200000n },
    ]);
    expect(cleanMappings(SMAPS, '/opt/other')).toEqual([]);
    expect(cleanMappings('', '/opt/other')).toEqual([]);
  });

  test('the process goes on without them', async () => {
    const bytes = await trimMemory();
    expect(bytes).toBeGreaterThanOrEqual(0);
    expect(JSON.parse(JSON.stringify({ still: [1, 2, 3].map((x) => x * 2) }))).toEqual({ still: [2, 4, 6] });
  });
});
