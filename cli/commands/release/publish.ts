import { printable } from '../../../agent/log.ts';
import { releasedModel } from '../../../models/release/release.ts';
import { envelopeText, openEnvelope, type Sealed } from '../../../models/trust/envelope.ts';
import { nextRoot, selfSignedRoot, type TrustedRoot } from '../../../models/trust/root.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { BrokerClient } from '../../broker/client.ts';
import { type BrokerOptions, brokerConfig, brokerSites } from '../../broker/options.ts';
import { Exit, UserError } from '../../errors.ts';
import { Progress } from '../../progress.ts';
import { withPublications, withRegistry } from '../../registry.ts';
import { aligned } from '../../table.ts';
import { readDocumentFile, readWritten, trusting } from '../../trust/envelope-file.ts';
import { type Published, publishRetained, retainedRelease, retainedRoots } from '../../trust/publish.ts';
import { releasePlace } from '../../trust/release-file.ts';

export interface PublishReleaseOptions extends BrokerOptions {
  readonly release: string;
  readonly root: readonly string[];
  readonly registry?: string | undefined;
  readonly why?: string | undefined;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

interface RootFile extends TrustedRoot {
  readonly path: string;
  readonly bytes: Buffer;
}

export async function run(args: PublishReleaseOptions): Promise<number> {
  const config = brokerConfig(args);
  const sites = brokerSites(args);
  const { path, model } = releasePlace(args.release, args.registry);
  if (model === null) {
    throw new UserError(
      `${printable(path)} is a file: name the release in the registry, NAME@VERSION, which has the model, too`,
    );
  }
  const roots = rootChain(args.root);
  const newest = roots.at(-1) as RootFile;
  // What hosts would refuse is not published.
  const { sealed, document: written } = readWritten(path, 'release');
  const wanted = { version: model.version, sha256: sealed.sha256, artifactSha256: written.artifact.sha256 };
  const { document } = trusting(path, () =>
    new Trust(newest.bytes, newest.sha256).acceptRelease(
      readDocumentFile(path),
      model.name,
      wanted,
      Date.now(),
    ),
  );
  const what = `${model.name}@${model.version}`;
  const artifact = withRegistry(args.registry, { create: false }, (registry) =>
    registry.read(model.name, String(model.version)),
  ).bytes;
  trusting(what, () => releasedModel(document, artifact));

  const sealedRoots = roots.map(({ bytes }) => openEnvelope(bytes));
  const keptRoots = roots.map(({ document: { version } }, i) => ({
    version,
    envelope: envelopeText((sealedRoots[i] as Sealed).envelope),
  }));
  const progress = new Progress(!args.json);
  const client = await BrokerClient.connect(config, { purpose: 'release' });
  const results: Published[] = [];
  try {
    for (const site of sites) {
      const messages = [
        ...retainedRoots(site, sealedRoots, newest.document),
        ...retainedRelease(site, { sealed, document, artifact }, newest.document),
      ];
      results.push(
        await publishRetained(client, site, messages, {
          dry: args['dry-run'],
          onStep: (done, total) => progress.step(done, total, site),
        }),
      );
      if (!args['dry-run'])
        withPublications(args.registry, true, (publications) =>
          publications.note(site, keptRoots, { model: model.name, version: model.version }),
        );
    }
  } finally {
    progress.end();
    await client.close();
    if (!args['dry-run'] && results.some(({ published }) => published > 0)) {
      withRegistry(args.registry, { create: false }, (registry) =>
        registry.noteRelease(model.name, model.version, 'publish-release', args.why ?? null),
      );
    }
  }
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ model: model.name, version: model.version, sha256: sealed.sha256, dryRun: args['dry-run'], sites: results })}\n`
      : page(`release ${what}${args['dry-run'] ? ' (dry run: nothing was published)' : ''}`, results),
  );
  return Exit.done;
}

/** In order of their versions, each signed as hosts that have the one before want it. @throws UserError, TrustError */
function rootChain(paths: readonly string[]): RootFile[] {
  const roots = paths
    .map((path) => {
      const bytes = readDocumentFile(path);
      return { path, bytes, ...trusting(path, () => selfSignedRoot(bytes)) };
    })
    .sort((a, b) => a.document.version - b.document.version);
  for (const [i, { path, bytes }] of roots.entries()) {
    const before = roots[i - 1];
    if (before !== undefined && trusting(path, () => nextRoot(before, bytes)) === null) {
      throw new UserError(`${printable(path)} and ${printable(before.path)} are the same root`);
    }
  }
  return roots;
}

function page(title: string, results: readonly Published[]): string {
  const rows = results.map(({ site, published, bytes, there }) => [
    printable(site),
    String(published),
    String(bytes),
    String(there),
  ]);
  return `${title}\n${aligned([['site', 'published', 'bytes', 'there already'], ...rows]).join('\n')}\n`;
}
