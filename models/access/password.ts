import { pbkdf2Sync, randomBytes } from 'node:crypto';

const PASSWORD_BYTES = 32;
const SALT_BYTES = 12;
const HASH_BYTES = 64;
/**
 * mosquitto_passwd's own figure. More rounds slow down who guesses passwords that people chose; nobody guesses 256
 * random bits. They would cost the broker, which hashes in its only thread: with 100,000 rounds, 2,000 clients that
 * come back at once keep it from everything else for two minutes.
 */
const HASH_ITERATIONS = 101;

/** 43 characters of base64url. */
export const randomPassword = (): string => randomBytes(PASSWORD_BYTES).toString('base64url');

/** As Mosquitto 2.0 keeps it: `$7$<iterations>$<salt>$<PBKDF2-HMAC-SHA512>`, base64 (its `password_mosq.c`). */
export function hashPassword(password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string {
  const hash = pbkdf2Sync(password, salt, HASH_ITERATIONS, HASH_BYTES, 'sha512');
  return `$7$${HASH_ITERATIONS}$${Buffer.from(salt).toString('base64')}$${hash.toString('base64')}`;
}
