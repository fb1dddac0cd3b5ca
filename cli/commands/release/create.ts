import { printable } from '../../../agent/log.ts';
import { parseBytes } from '../../../agent/units.ts';
import type { ReleaseLimits } from '../../../core/protocol/trust.ts';
import { decodeModel } from '../../../models/artifact.ts';
import { releaseDocument, releasedModel } from '../../../models/release/release.ts';
import { addSignature, envelopeText, openEnvelope, seal } from '../../../models/trust/envelope.ts';
import { Exit, UserError } from '../../errors.ts';
import { referenceOf } from '../../model-reference.ts';
import { toText } from '../../models/document.ts';
import { withRegistry } from '../../registry.ts';
import { documentText, reading } from '../../trust/envelope-file.ts';
import { createFile } from '../../trust/key-files.ts';
import { lifetimeMs } from '../../trust/lifetime.ts';
import { releaseSections, releaseTitle, releaseView } from '../../trust/release-view.ts';
import { validRoot } from '../../trust/root-file.ts';
import { signingKeys } from '../../trust/signing-keys.ts';

export interface CreateOptions {
  readonly model: string;
  readonly registry?: string | undefined;
  readonly root: string;
  readonly key?: readonly string[] | undefined;
  readonly 'passphrase-file'?: string | undefined;
  readonly expires: string;
  readonly 'minimum-agent': string;
  readonly 'score-ms': number;
  readonly memory: string;
  readonly 'flag-share': number;
  readonly out?: string | undefined;
  readonly why?: string | undefined;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

export async function run(args: CreateOptions): Promise<number> {
  const reference = referenceOf(args.model);
  if (reference === null) {
    throw new UserError(
      `${printable(args.model)}: expected a registered model, NAME@VERSION or NAME@ALIAS, e.g. web@production`,
    );
  }
  const issuedMs = Date.now();
  const root = validRoot(args.root, issuedMs);
  const limits = limitsOf(args);
  const lifeMs = lifetimeMs(args.expires);
  const keys = signingKeys(args, root, 'release');
  return withRegistry(args.registry, { create: false }, (registry) => {
    const { record, bytes } = registry.read(reference.name, reference.versionOrAlias);
    const { name, version } = record;
    const document = releaseDocument(bytes, decodeModel(bytes), {
      fleet: root.fleet,
      model: name,
      version,
      issuedMs,
      lifeMs,
      minimumAgent: args['minimum-agent'],
      limits,
    });
    const what = `${name}@${version}`;
    const envelope = reading(what, () => keys.reduce(addSignature, seal(document)));
    // What no host could take is not released: the same checks, on the same bytes.
    reading(what, () => releasedModel(document, bytes));
    let path: string | null = null;
    if (!args['dry-run']) {
      if (args.out !== undefined) createFile(args.out, documentText(envelope), 0o644);
      path = registry.addRelease(name, version, documentText(envelope), args.why ?? null);
    }
    const view = releaseView(openEnvelope(Buffer.from(envelopeText(envelope))), document, root, issuedMs);
    if (args.json) {
      process.stdout.write(`${JSON.stringify({ file: path, dryRun: args['dry-run'], ...view })}\n`);
      return Exit.done;
    }
    const where = path === null ? 'nothing was written' : path;
    process.stdout.write(toText(`${releaseTitle(document)}: ${where}`, releaseSections(view)));
    if (path !== null && view.signatures?.complete === false) {
      process.stderr.write(
        `It is not signed by enough yet: edgewood release sign FILE --key FILE, here or on another machine.\n`,
      );
    }
    return Exit.done;
  });
}

/** @throws UserError */
function limitsOf(args: CreateOptions): ReleaseLimits {
  const memoryBytes = parseBytes(args.memory);
  if (memoryBytes === null || memoryBytes > 1024 ** 3) {
    throw new UserError(
      `--memory: expected a size up to 1GB, e.g. 64MB, found ${JSON.stringify(args.memory)}`,
    );
  }
  const within = (name: 'score-ms' | 'flag-share', most: number): number => {
    const value = args[name];
    if (value > 0 && value <= most) return value;
    throw new UserError(`--${name}: expected a number above 0, at most ${most}, found ${value}`);
  };
  return {
    scoreMs: within('score-ms', 10_000),
    memoryBytes: Math.round(memoryBytes),
    flagShare: within('flag-share', 1),
  };
}
