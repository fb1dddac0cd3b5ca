import { RegistryError } from './registry-error.ts';

/** Listed first, in this order; any other is free. */
export const KNOWN_ALIASES: readonly string[] = ['production', 'staging', 'archived'];
/** Not stored: always the newest version. */
export const LATEST = 'latest';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ALIAS = /^[a-z][a-z0-9-]{0,31}$/;
const VERSION = /^[1-9][0-9]{0,8}$/;

export const isName = (text: string): boolean => NAME.test(text);
export const isAlias = (text: string): boolean => ALIAS.test(text);

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** @throws RegistryError */
export function checkName(name: string): void {
  if (isName(name)) return;
  throw new RegistryError(
    'badName',
    `${shown(name)} is no name for a model: expected 1 to 64 letters, digits, ".", "_" and "-", the first a letter or digit.`,
  );
}

/** @throws RegistryError for what can't be given as an alias, `latest` among it */
export function checkAlias(alias: string): void {
  if (alias === LATEST) {
    throw new RegistryError('badName', '"latest" is always the newest version: it is never set.');
  }
  if (isAlias(alias)) return;
  throw new RegistryError(
    'badName',
    `${shown(alias)} is no alias: expected 1 to 32 lower-case letters, digits and "-", the first a letter.`,
  );
}

/** The number, or null where it is none. */
export const versionNumber = (text: string): number | null => (VERSION.test(text) ? Number(text) : null);

/** Known ones in their order, then the others by the alphabet. */
export function compareAliases(a: string, b: string): number {
  const rank = (alias: string): number => {
    const known = KNOWN_ALIASES.indexOf(alias);
    return known < 0 ? KNOWN_ALIASES.length : known;
  };
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}
