/** Sizes, capped before memory is taken. */

/** Inbound MQTT packets above this cut the connection at their header. */
export const MAX_INBOUND_PACKET_BYTES = 256 * 1024;
/** Inbound payloads above this are not parsed. */
export const MAX_INBOUND_PAYLOAD_BYTES = 64 * 1024;
/** A CloudEvent in UTF-8. Common brokers in the cloud take 128 KiB. */
export const MAX_EVENT_BYTES = 64 * 1024;
export const MAX_TELEMETRY_BYTES = 64 * 1024;
export const MAX_TOPIC_LEVEL_CHARACTERS = 64;

export const ALERT_EXPIRY_SECONDS = 7 * 86_400;
export const TELEMETRY_EXPIRY_SECONDS = 300;
/** An event published later than this after its time says `replayed`. */
export const REPLAYED_AFTER_MS = 60_000;
