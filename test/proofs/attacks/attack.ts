import { isDeepStrictEqual } from 'node:util';
import type { Message, Scene, Snapshot } from './scene.ts';

/** One attack: what is published, and as what the agent must count it. */
export interface Attack {
  readonly name: string;
  readonly messages?: readonly Message[];
  /** Where publishing alone is not it. */
  readonly act?: (scene: Scene) => Promise<void>;
  /** By word; nothing: it never reaches the agent. */
  readonly counted: Readonly<Record<string, number>>;
  /** Words that may be counted beside. */
  readonly beside?: readonly string[];
  /** A broker drops what is beyond its queue for a client: fewer are counted then than were sent. */
  readonly some?: boolean;
  readonly note?: string;
}

export interface Struck {
  readonly group: string;
  readonly name: string;
  readonly messages: number;
  readonly counted: Readonly<Record<string, number>>;
  /** Digest, slots, root, rollout and state are what they were. */
  readonly unchanged: boolean;
  readonly passed: boolean;
  readonly note?: string;
}

export async function strike(scene: Scene, group: string, attacks: readonly Attack[]): Promise<Struck[]> {
  const struck: Struck[] = [];
  for (const attack of attacks) {
    const before = await scene.snapshot();
    await scene.publish(...(attack.messages ?? []));
    await attack.act?.(scene);
    await scene.alive();
    struck.push(judged(group, attack, before, await scene.snapshot()));
    told(struck.at(-1) as Struck);
  }
  return struck;
}

export function told(one: Struck): void {
  if (process.env['VITEST'] !== undefined && one.passed) return;
  const counted = Object.entries(one.counted).map(([word, n]) => `${word} ${n}`);
  console.log(
    `${one.passed ? 'ok    ' : 'FAILED'} ${one.group}: ${one.name}; ${counted.length > 0 ? counted.join(', ') : (one.note ?? 'never reached it')}`,
  );
}

function judged(group: string, attack: Attack, before: Snapshot, after: Snapshot): Struck {
  const counted: Record<string, number> = {};
  for (const [word, n] of Object.entries(after.counts)) {
    const more = n - (before.counts[word] ?? 0);
    if (more !== 0) counted[word] = more;
  }
  const expected = Object.fromEntries(
    Object.entries(counted).filter(([word]) => !(attack.beside ?? []).includes(word)),
  );
  const unchanged = isDeepStrictEqual(before.holds, after.holds);
  const words = (counts: object): string[] => Object.keys(counts).sort();
  const asExpected =
    attack.some === true
      ? isDeepStrictEqual(words(expected), words(attack.counted))
      : isDeepStrictEqual(expected, attack.counted);
  return {
    group,
    name: attack.name,
    messages: attack.messages?.length ?? 0,
    counted,
    unchanged,
    passed: unchanged && asExpected,
    ...(attack.note !== undefined && { note: attack.note }),
  };
}
