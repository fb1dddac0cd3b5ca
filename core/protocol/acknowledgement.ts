/** The hub's word, on the topic `ack`, that events are stored there. Its JSON Schema is `ack.schema.json`. */
export interface Acknowledgement {
  readonly epoch: string;
  /** Of sequence numbers, from and to, both included. */
  readonly ranges: readonly (readonly [number, number])[];
}

const MAX_RANGES = 1024;
const MAX_EPOCH_CHARACTERS = 64;

/** @returns null for a document that is no acknowledgement */
export function parseAcknowledgement(document: Readonly<Record<string, unknown>>): Acknowledgement | null {
  const { schemaVersion, epoch, ranges } = document;
  if (schemaVersion !== 1 || typeof epoch !== 'string' || epoch.length > MAX_EPOCH_CHARACTERS) return null;
  if (!Array.isArray(ranges) || ranges.length > MAX_RANGES || !ranges.every(isRange)) return null;
  return { epoch, ranges };
}

function isRange(range: unknown): range is readonly [number, number] {
  return (
    Array.isArray(range) &&
    range.length === 2 &&
    range.every((n) => Number.isSafeInteger(n) && n > 0) &&
    range[0] <= range[1]
  );
}
