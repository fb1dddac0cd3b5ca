/** Text of a server in an error: no more than this of it. */
const MAX_SAID_CHARACTERS = 300;

/**
 * Why the server did not do what it was asked:
 * - `unreachable`: no answer, or none that can be read; what was asked for may have been done
 * - `busy`: 429, 5xx; it may have been done, too
 * - `denied`: 401, 403: a person has to act
 * - `refused`: another 4xx, or an answer that is not MLflow's
 */
export type MlflowFailure = 'unreachable' | 'busy' | 'denied' | 'refused';

/** Its message names the server, never who we are to it. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  readonly kind: MlflowFailure;
  readonly status: number | null;
  /** MLflow's own: RESOURCE_ALREADY_EXISTS, …; null where the answer had none. */
  readonly code: string | null;
  /** What it asked us to wait. */
  readonly afterMs: number | null;

  constructor(
    kind: MlflowFailure,
    message: string,
    more: { status?: number; code?: string | null; afterMs?: number | null } = {},
  ) {
    super(message);
    this.kind = kind;
    this.status = more.status ?? null;
    this.code = more.code ?? null;
    this.afterMs = more.afterMs ?? null;
  }

  /** Another try may help by itself. */
  get passing(): boolean {
    return this.kind === 'unreachable' || this.kind === 'busy';
  }
}

export const isCode = (error: unknown, code: string): error is MlflowError =>
  error instanceof MlflowError && error.code === code;

/** The run of which a step spoke is no longer there, or was put into the bin. */
export const isGone = (error: unknown): boolean =>
  isCode(error, 'RESOURCE_DOES_NOT_EXIST') ||
  (isCode(error, 'INVALID_PARAMETER_VALUE') && /active/.test(error.message));

/** Settings that can never work: where, what was expected, how to mend it. */
export class TrackingSettingError extends Error {
  override readonly name = 'TrackingSettingError';
  /** Bad input (cli/errors.ts). */
  readonly exitCode = 2;
}

/** One line of what a server said, with nothing in it that a terminal would obey. */
export const saidLine = (text: string): string =>
  (text.trim().split('\n')[0] ?? '')
    .slice(0, MAX_SAID_CHARACTERS)
    .replaceAll(/[\p{C}\p{Bidi_Control}]/gu, ' ')
    .replaceAll('"', "'");
