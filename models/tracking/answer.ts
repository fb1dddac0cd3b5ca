import { MlflowError } from './mlflow-error.ts';

/** Reading what a server answered, of which nothing is taken for granted. */

export type Json = Readonly<Record<string, unknown>>;

/** What a status means (RFC 9110, section 15). */
export function kindOf(status: number): MlflowError['kind'] {
  if (status === 401 || status === 403) return 'denied';
  return status === 408 || status === 429 || status >= 500 ? 'busy' : 'refused';
}

/** @param known the answer has an error code of MLflow's */
export function meaning(status: number, known: boolean): string {
  if (status === 401)
    return 'it does not know who we are; check MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD';
  if (status === 403) return 'who we are may not do that there';
  if (status === 404) return known ? 'it has no such thing' : 'is this the address of an MLflow server?';
  if (status === 413) return 'too large for it';
  if (status === 429) return 'it is asked too often';
  if (status >= 300 && status < 400) return 'it sends elsewhere, which is not followed; name the final URL';
  if (status >= 500) return 'it has a fault of its own';
  return 'it does not take what was sent';
}

/** null for what is no JSON object. */
export function documentOf(body: string): Json | null {
  try {
    const document: unknown = JSON.parse(body);
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Json)
      : null;
  } catch {
    return null;
  }
}

export function nextPage(answer: Json): string | null {
  const token = answer['next_page_token'];
  return typeof token === 'string' && token !== '' ? token : null;
}

export const strange = (field: string): MlflowError =>
  new MlflowError('refused', `the server's answer has no ${field}: is it an MLflow tracking server?`);

export function textOf(document: Json, field: string): string {
  const value = document[field];
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw strange(field);
}

export function objectOf(document: Json, field: string): Json {
  const value = document[field];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw strange(field);
}

/** A list that is empty is left out of an answer (protocol buffers' JSON mapping). */
export function arrayOf(document: Json, field: string): Json[] {
  const value = document[field] ?? [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null)) return value;
  throw strange(field);
}
