/** Which of several hubs keeps which hosts. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

const MAX_SHARDS = 1024;

/** `2/4`; null where it is none. */
export function parseShard(text: string): Shard | null {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  return shard.index >= 1 && shard.index <= shard.count && shard.count <= MAX_SHARDS ? shard : null;
}

/** FNV-1a over the id's UTF-8: the same on every machine, whatever the sites. */
export function isOurs(hostId: string, { index, count }: Shard): boolean {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(hostId)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % count === index - 1;
}
