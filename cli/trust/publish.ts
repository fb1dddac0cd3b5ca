import { siteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseDocument, RootDocument } from '../../core/protocol/trust.ts';
import type { Broker } from '../../hub/broker.ts';
import { chunksOf } from '../../models/release/release.ts';
import {
  documentOf,
  envelopeText,
  openEnvelope,
  requireSignatures,
  type Sealed,
} from '../../models/trust/envelope.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { Exit, UserError } from '../errors.ts';

export interface Retained {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** null: whatever lies there is written over; else why what lies there must stay. */
  readonly keeps: ((there: Uint8Array) => string | null) | null;
}

export interface Published {
  readonly site: string;
  readonly published: number;
  readonly bytes: number;
  /** Was there already, to the last byte. */
  readonly there: number;
}

/** A document without the line's end that a file has. */
const onTheWire = (sealed: Sealed): Buffer => Buffer.from(envelopeText(sealed.envelope));

/** @param root the newest: whose signatures decide whether what is there must stay */
export function retainedRoots(site: string, roots: readonly Sealed[], root: RootDocument): Retained[] {
  return roots.map((sealed) => ({
    topic: siteTopics(site).root(documentOf(sealed, 'root').version),
    payload: onTheWire(sealed),
    keeps: (there: Uint8Array) =>
      otherDigest(there, sealed, (found) => requireSignatures(found, 'root', root.roles.root, root.keys)),
  }));
}

/**
 * What a site needs of a release, in the order in which it is published: the pieces, and last the document that names
 * them.
 */
export function retainedRelease(
  site: string,
  release: { readonly sealed: Sealed; readonly document: ReleaseDocument; readonly artifact: Uint8Array },
  root: RootDocument,
): Retained[] {
  const topics = siteTopics(site);
  const { document, artifact } = release;
  const { sha256 } = document.artifact;
  return [
    ...chunksOf(artifact).map((payload, i) => ({ topic: topics.chunk(sha256, i), payload, keeps: null })),
    {
      topic: topics.release(document.model, document.version),
      payload: onTheWire(release.sealed),
      keeps: (there: Uint8Array) =>
        otherDigest(there, release.sealed, (found) =>
          requireSignatures(found, 'release', root.roles.release, root.keys),
        ),
    },
  ];
}

/** Another document of the same name, as well signed: hosts that took it refuse ours. Garbage makes way. */
function otherDigest(there: Uint8Array, ours: Sealed, check: (found: Sealed) => void): string | null {
  try {
    const found = openEnvelope(there);
    if (found.sha256 === ours.sha256 || found.envelope.payloadType !== ours.envelope.payloadType) return null;
    check(found);
    documentOf(found, ours.envelope.payloadType.includes('root') ? 'root' : 'release');
    return `another document is published there, signed as well as this one: ${found.sha256}, this is ${ours.sha256}`;
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}

const AT_ONCE = 16;

export interface Compared {
  readonly missing: readonly Retained[];
  /** Something else lies there that may be written over. */
  readonly differing: readonly Retained[];
  /** Something else lies there that must stay. */
  readonly kept: readonly { readonly topic: string; readonly why: string }[];
  /** The broker does not let us look. */
  readonly refused: readonly string[];
}

/** What is retained against what shall be. */
export async function compareRetained(broker: Broker, messages: readonly Retained[]): Promise<Compared> {
  const { found, refused } = await broker.readRetained(messages.map(({ topic }) => topic));
  const missing: Retained[] = [];
  const differing: Retained[] = [];
  const kept: { topic: string; why: string }[] = [];
  for (const message of messages) {
    const { topic, payload, keeps } = message;
    const there = found.get(topic);
    if (there === undefined) {
      if (!refused.includes(topic)) missing.push(message);
    } else if (Buffer.compare(there, payload) !== 0) {
      const why = keeps?.(there) ?? null;
      if (why === null) differing.push(message);
      else kept.push({ topic, why });
    }
  }
  return { missing, differing, kept, refused };
}

/** In order: the document that names the pieces comes behind all of them. @throws BrokerError */
export async function retain(
  broker: Broker,
  messages: readonly Retained[],
  onStep: (done: number, total: number) => void,
): Promise<void> {
  let done = 0;
  const publish = async ({ topic, payload }: Retained): Promise<void> => {
    await broker.publish(topic, payload, { retain: true });
    onStep(++done, messages.length);
  };
  const first = messages.slice(0, -1);
  for (let at = 0; at < first.length; at += AT_ONCE)
    await Promise.all(first.slice(at, at + AT_ONCE).map(publish));
  const last = messages.at(-1);
  if (last !== undefined) await publish(last);
}

/**
 * Publishes what is not retained yet; done again, it does nothing.
 * @param dry look only
 * @throws UserError where something must stay as it is, before anything is published; BrokerError
 */
export async function publishRetained(
  broker: Broker,
  site: string,
  messages: readonly Retained[],
  { dry, onStep }: { readonly dry: boolean; readonly onStep: (done: number, total: number) => void },
): Promise<Published> {
  const { missing, differing, kept, refused } = await compareRetained(broker, messages);
  const [stays] = kept;
  if (stays !== undefined) throw new UserError(`${stays.topic}: ${stays.why}`, Exit.checkSaysNo);
  const astray = new Set([...[...missing, ...differing].map(({ topic }) => topic), ...refused]);
  const pending = messages.filter(({ topic }) => astray.has(topic));
  if (!dry) await retain(broker, pending, onStep);
  return {
    site,
    published: pending.length,
    bytes: pending.reduce((sum, { payload }) => sum + payload.length, 0),
    there: messages.length - pending.length,
  };
}
