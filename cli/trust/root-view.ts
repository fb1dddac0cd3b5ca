import { ROLES, type RootDocument } from '../../core/protocol/trust.ts';
import type { Sealed } from '../../models/trust/envelope.ts';
import { fingerprint } from '../../models/trust/keys.ts';
import { facts, type Section } from '../models/document.ts';
import { countSignatures, type SignatureCount, signatureWords } from './signatures.ts';

export interface RootView {
  readonly fleet: string;
  readonly version: number;
  /** What an installation pins. */
  readonly sha256: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly expired: boolean;
  readonly keys: readonly { readonly id: string; readonly name: string; readonly roles: readonly string[] }[];
  readonly roles: RootDocument['roles'];
  readonly revoked: readonly string[];
  readonly signatures: SignatureCount;
  /** Of the keys of the root before; null where that was not named. */
  readonly signaturesOfBefore: SignatureCount | null;
  /** Ids of keys that have no say here, as far as these roots know. */
  readonly otherSignatures: readonly string[];
}

export function rootView(
  sealed: Sealed,
  document: RootDocument,
  before: RootDocument | null,
  nowMs: number,
): RootView {
  const { fleet, version, issuedAt, expiresAt, keys, roles, revoked } = document;
  return {
    fleet,
    version,
    sha256: sealed.sha256,
    issuedAt,
    expiresAt,
    expired: Date.parse(expiresAt) <= nowMs,
    keys: Object.entries(keys).map(([id, { name }]) => ({
      id,
      name,
      roles: ROLES.filter((role) => roles[role].keys.includes(id)),
    })),
    roles,
    revoked,
    signatures: countSignatures(sealed, roles.root, keys),
    signaturesOfBefore: before === null ? null : countSignatures(sealed, before.roles.root, before.keys),
    otherSignatures: sealed.envelope.signatures
      .map(({ keyid }) => keyid)
      .filter((id) => !roles.root.keys.includes(id) && before?.roles.root.keys.includes(id) !== true),
  };
}

/** The page for people. */
export function rootSections(view: RootView): Section[] {
  const { signatures, signaturesOfBefore: old, otherSignatures, revoked } = view;
  const first = view.version === 1;
  const rows: (readonly [string, string])[] = [
    ['digest', view.sha256],
    ['issued', view.issuedAt],
    ['expires', `${view.expiresAt}${view.expired ? '  EXPIRED: hosts take nothing new' : ''}`],
    ['signatures', signatureWords(signatures)],
  ];
  if (old !== null) rows.push(['of the root before', signatureWords(old)]);
  else if (!first) rows.push(['of the root before', 'unknown: name it with --after']);
  if (otherSignatures.length > 0) {
    rows.push(['of other keys', otherSignatures.map((id) => id.slice(0, 8)).join(', ')]);
  }
  const sections: Section[] = [
    { title: 'Root', blocks: [facts(...rows)] },
    {
      title: 'Roles',
      blocks: [
        facts(
          ...ROLES.map((role) => {
            const { threshold, keys } = view.roles[role];
            const names = keys.map((id) => view.keys.find((key) => key.id === id)?.name ?? id);
            return [
              role,
              names.length === 0 ? 'nobody' : `${threshold} of ${names.length}: ${names.join(', ')}`,
            ] as const;
          }),
        ),
      ],
    },
    {
      title: 'Keys',
      blocks: [facts(...view.keys.map(({ id, name }) => [name, fingerprint(id)] as const))],
    },
  ];
  if (revoked.length > 0)
    sections.push({
      title: 'Revoked',
      blocks: [facts(...revoked.map((sha256) => ['artifact', sha256] as const))],
    });
  return sections;
}

export const rootTitle = ({ fleet, version }: { readonly fleet: string; readonly version: number }): string =>
  `root ${version} of fleet ${fleet}`;
