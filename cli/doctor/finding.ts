/** What the doctor found: fine, worth knowing, or wrong; why that matters, and how to mend it. */
export interface Finding {
  readonly area: string;
  readonly status: 'ok' | 'note' | 'warning' | 'problem';
  readonly says: string;
  readonly why?: string;
  readonly mend?: string;
}

type Trouble = { readonly why: string; readonly mend: string };

export const ok = (area: string, says: string): Finding => ({ area, status: 'ok', says });
/** Nothing is wrong, and somebody may wonder. */
export const note = (area: string, says: string, more: Partial<Trouble> = {}): Finding => ({
  area,
  status: 'note',
  says,
  ...more,
});
export const warning = (area: string, says: string, more: Trouble): Finding => ({
  area,
  status: 'warning',
  says,
  ...more,
});
export const problem = (area: string, says: string, more: Trouble): Finding => ({
  area,
  status: 'problem',
  says,
  ...more,
});
