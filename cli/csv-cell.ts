import { printable } from '../agent/log.ts';

/**
 * A name from elsewhere as one cell of CSV (RFC 4180): control characters are shown, and what a spreadsheet would take
 * for a formula begins with an apostrophe, as OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection).
 */
export function csvCell(name: string): string {
  const safe = printable(name).replace(/^(?=[=+\-@])/, "'");
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
