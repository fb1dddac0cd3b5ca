/**
 * Watches the raw inbound bytes of an MQTT connection and tells of a packet that is too large at its fixed header
 * (MQTT 5, section 2.1), before the client library has buffered it: mqtt.js checks `maximumPacketSize` only after.
 */
export class PacketGuard {
  readonly #maximumBytes: number;
  /** Bytes of the current packet still to come. */
  #body = 0;
  /** -1: the next byte is a packet's first; else how many bytes of its length have been read. */
  #lengthBytes = -1;
  #length = 0;

  constructor(maximumBytes: number) {
    this.#maximumBytes = maximumBytes;
  }

  /** @returns what is wrong, or null; after a fault the connection must be cut */
  check(chunk: Uint8Array): 'oversized' | 'malformed' | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body > 0) {
        const skipped = Math.min(this.#body, chunk.length - at);
        this.#body -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.#lengthBytes < 0) {
        this.#lengthBytes = 0;
        this.#length = 0;
        continue;
      }
      this.#length += (byte & 127) * 128 ** this.#lengthBytes;
      this.#lengthBytes++;
      if (this.#length > this.#maximumBytes) return 'oversized';
      if ((byte & 128) === 0) {
        this.#body = this.#length;
        this.#lengthBytes = -1;
      } else if (this.#lengthBytes === 4) return 'malformed';
    }
    return null;
  }
}
