import type { CommandName } from '../core/protocol/trust.ts';

/** Commands to one host, and what it answers. */

export interface CommandAddress {
  readonly site: string;
  readonly hostId: string;
  readonly commandId: string;
}

/** Puts a signed command on its way to one host. Whoever signs decides who may. */
export interface CommandSender {
  /** @throws Error where it can't be signed or sent */
  send(to: CommandAddress, name: CommandName, args: Readonly<Record<string, unknown>>): Promise<void>;
}

const MAX_PARTS = 4096;
const MAX_PART_BYTES = 64 * 1024;

export type ReplyProgress =
  /** `isNew`: this part had not come before. */
  | { readonly kind: 'waiting'; readonly came: number; readonly parts: number; readonly isNew: boolean }
  | { readonly kind: 'complete'; readonly results: readonly unknown[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  /** It is no answer to this command: nothing is changed by it. */
  | { readonly kind: 'ignored'; readonly why: string };

/** Puts the parts of one answer together, in whatever order and however often they come. */
export class Reply {
  readonly #address: CommandAddress;
  readonly #maxBytes: number;
  readonly #parts = new Map<number, unknown>();
  #count: number | null = null;
  #bytes = 0;

  constructor(address: CommandAddress, maxBytes: number) {
    this.#address = address;
    this.#maxBytes = maxBytes;
  }

  /** @param payload of a message on the reply topic of this host and command */
  take(payload: Uint8Array): ReplyProgress {
    const ignored = (why: string): ReplyProgress => ({ kind: 'ignored', why });
    if (payload.length > MAX_PART_BYTES) return ignored('too large');
    const document = parse(payload);
    if (document === null) return ignored('no JSON object');
    const { schemaVersion, commandId, hostId, ok, error, part, parts, result } = document;
    if (schemaVersion !== 1 || commandId !== this.#address.commandId || hostId !== this.#address.hostId)
      return ignored('of another command or host');
    if (ok !== true) {
      const { code, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
      return { kind: 'failed', code: text(code, 64), message: text(message, 500) };
    }
    if (!isCount(parts, 1, MAX_PARTS) || !isCount(part, 0, parts - 1)) return ignored('no such part');
    if (this.#count !== null && parts !== this.#count) return ignored('another number of parts');
    this.#count = parts;
    const isNew = !this.#parts.has(part);
    if (isNew) {
      this.#bytes += payload.length;
      if (this.#bytes > this.#maxBytes)
        return { kind: 'failed', code: 'tooLarge', message: `more than ${this.#maxBytes} bytes` };
      this.#parts.set(part, result);
    }
    if (this.#parts.size < parts) return { kind: 'waiting', came: this.#parts.size, parts, isNew };
    return { kind: 'complete', results: Array.from({ length: parts }, (_, i) => this.#parts.get(i)) };
  }
}

function parse(payload: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    return null;
  }
}

const text = (value: unknown, most: number): string =>
  typeof value === 'string' && value !== '' ? value.slice(0, most) : 'unknown';

const isCount = (value: unknown, least: number, most: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
