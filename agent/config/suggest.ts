import { nearest } from '../../core/nearest.ts';
import { KEYS } from './keys.ts';

/** What a person may have meant by a name that is not known. */

/** `; did you mean "…"?`: the nearest known key if it is near enough, else what its group has, else nothing. */
export function suggest(path: string): string {
  // Half a name is meant: token for tokenFile.
  const begun = KEYS.find((key) => key.path.startsWith(path) && !path.endsWith('.'));
  if (begun !== undefined && path.length >= 3) {
    const [group = ''] = begun.path.split(/\[]|\./);
    return `; did you mean "${path.includes('.') ? begun.path : group}"?`;
  }
  const [, leafGroup] =
    KEYS.map((key) => /^([^.]+)\.([^.]+)$/.exec(key.path)).find((one) => one?.[2] === path) ?? [];
  if (leafGroup !== undefined) {
    const under = leafGroup.endsWith('[]') ? `an entry of ${leafGroup.slice(0, -2)}:` : `${leafGroup}:`;
    return `; did you mean "${leafGroup}.${path}"? It stands under ${under} and is indented`;
  }
  const known = new Set(KEYS.flatMap((key) => [key.path, key.path.split('.')[0] as string]));
  // What a path has before its last name is no measure of how near that is.
  const leaf = path.slice(path.lastIndexOf('.') + 1);
  const best = nearest(path, known, Math.max(2, Math.floor(leaf.length / 3)));
  if (best !== undefined) return `; did you mean "${best}"?`;
  const group = path.split('.')[0] as string;
  const siblings = KEYS.filter((key) => path.includes('.') && key.path.startsWith(`${group}.`));
  return siblings.length === 0
    ? ''
    : `; ${group.endsWith('[]') ? `an entry of ${group.slice(0, -2)}` : group} has ${siblings.map((key) => key.path.slice(group.length + 1)).join(', ')}`;
}

/** A url without its user and password, wherever its host begins. */
export const hideUser = (url: string): string => url.replace(/\/\/.*@/su, '//***@');
