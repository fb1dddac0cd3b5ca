import { COMMANDS, type CommandName, type RoleName } from '../../core/protocol/trust.ts';
import type { Grant } from '../../models/trust/draft.ts';
import { UserError } from '../errors.ts';
import { readPublicKeyFile } from './key-files.ts';

type Files = readonly string[] | undefined;

export interface GrantedFiles {
  readonly root: Files;
  readonly release: Files;
  readonly rollout: Files;
  readonly renewal: Files;
  /** FILE for every command, or COMMAND[,COMMAND]=FILE. */
  readonly command: Files;
}

/** @throws UserError for a file that is no public key, or a command that there isn't */
export function grantsOf(files: GrantedFiles): Grant[] {
  const plain = (['root', 'release', 'rollout', 'renewal'] as const).flatMap((role) =>
    (files[role] ?? []).map((file) => grant(file, [role])),
  );
  return [...plain, ...(files.command ?? []).map(commandGrant)];
}

const grant = (file: string, roles: readonly RoleName[]): Grant => ({ ...readPublicKeyFile(file), roles });

function commandGrant(text: string): Grant {
  const at = text.indexOf('=');
  if (at < 0) return grant(text, COMMANDS);
  const names = text.slice(0, at).split(',');
  const strange = names.find((name) => !COMMANDS.includes(name as CommandName));
  if (strange !== undefined) {
    throw new UserError(
      `there is no command ${JSON.stringify(strange)}: expected ${COMMANDS.join(', ')}, or a file alone for all of them`,
    );
  }
  return grant(text.slice(at + 1), names as CommandName[]);
}
