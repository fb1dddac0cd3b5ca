import { describe, expect, test } from 'vitest';
import { csvCell } from '../../cli/csv-cell.ts';

describe('a name in CSV', () => {
  test.each([
    ['cpu', 'cpu'],
    ['a,b"c', '"a,b""c"'],
    ['=1+1', "'=1+1"],
    ['=HYPERLINK("x")', `"'=HYPERLINK(""x"")"`],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(1)', "'@SUM(1)"],
    ['\t=1', '\\u0009=1'],
    ['two\r\nlines', 'two\\u000d\\u000alines'],
    ['\u001b[31m\u009b\u202e', '\\u001b[31m\\u009b\\u202e'],
  ])('%j is %j', (name, cell) => {
    expect(csvCell(name)).toBe(cell);
  });
});
