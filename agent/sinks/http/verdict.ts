import { networkWords } from '../network-words.ts';
import type { HttpAnswer } from './http-client.ts';

/** A Retry-After beyond this is taken as this: alerts must not wait for a day on a typing error. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Nothing that a minute mends: a person has to. */
const FORBIDDEN_RETRY_MS = 60_000;
const MAX_REASON_CHARACTERS = 300;

export type Verdict =
  | { readonly kind: 'delivered' }
  /** Over what was sent: a part of it may be taken. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number };

/** What an answer to a POST means for what was sent (RFC 9110, section 15; InfluxDB v2 write API). */
export function judge(answer: HttpAnswer, target: string, nowMs: number): Verdict {
  if (answer.kind === 'failure') return { kind: 'retry', reason: `${target}: ${failureWords(answer.error)}` };
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const said = messageOf(answer.body);
  const reason = `${target}: ${status} ${meaning(status)}${said === '' ? '' : ` ("${said}")`}`;
  if (status === 400 || status === 413 || status === 422) return { kind: 'refused', reason };
  if (status === 401 || status === 403 || status === 404) {
    return { kind: 'retry', reason, afterMs: FORBIDDEN_RETRY_MS };
  }
  const afterMs = retryAfterMs(answer.retryAfter, nowMs);
  return { kind: 'retry', reason, ...(afterMs !== null && { afterMs }) };
}

function failureWords(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    networkWords(code, 'server') ?? (typeof message === 'string' && message !== '' ? message : String(code))
  );
}

function meaning(status: number): string {
  if (status === 400 || status === 422) return 'it does not take what was sent';
  if (status === 401)
    return 'it does not know the token or user; check tokenFile or usernameFile and passwordFile';
  if (status === 403) return 'the token or user may not write there';
  if (status === 404) return 'nothing there; check the url, organisation and bucket';
  if (status === 413) return 'too large for it';
  if (status === 429) return 'it is asked too often';
  if (status >= 300 && status < 400) return 'it sends elsewhere, which is not followed; name the final url';
  if (status >= 500) return 'it has a fault of its own';
  return 'unexpected';
}

/** What a JSON error says, or the text's first line. */
function messageOf(body: string): string {
  let text = body;
  try {
    const parsed: unknown = JSON.parse(body);
    const { message, error } = (parsed ?? {}) as { message?: unknown; error?: unknown };
    text = typeof message === 'string' ? message : typeof error === 'string' ? error : body;
  } catch {
    // Not JSON: shown as it is.
  }
  const [line = ''] = text.trim().split('\n');
  return line.slice(0, MAX_REASON_CHARACTERS).replaceAll(/\p{C}/gu, ' ').replaceAll('"', "'");
}

/** Seconds or an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}
