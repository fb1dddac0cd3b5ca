/** A strict reader of InfluxDB line protocol, written from its specification; throws at the first offence. */

export interface Point {
  readonly measurement: string;
  readonly tags: Record<string, string>;
  readonly fields: Record<string, number | boolean | string | bigint>;
  readonly timeNs: bigint;
}

export function parseLine(line: string): Point {
  let at = 0;
  const fail = (what: string): never => {
    throw new Error(`${what} at ${at} of ${JSON.stringify(line)}`);
  };
  /** Up to an unescaped character of `ends`; `escaped` may follow a backslash. */
  const word = (ends: string, escaped: string): string => {
    let text = '';
    while (at < line.length && !ends.includes(line[at] as string)) {
      if (line[at] === '\n') fail('line break');
      if (line[at] === '\\' && escaped.includes(line[at + 1] ?? '?')) at++;
      text += line[at++];
    }
    return text;
  };
  const value = (): number | boolean | string | bigint => {
    if (line[at] === '"') {
      at++;
      const text = word('"', '"\\');
      if (line[at++] !== '"') fail('unended text');
      return text;
    }
    const text = word(', ', '');
    if (text === 'true' || text === 'false') return text === 'true';
    if (/^-?\d+i$/.test(text)) return BigInt(text.slice(0, -1));
    if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) fail(`no number: ${text}`);
    return Number(text);
  };
  const measurement = word(', ', ', ');
  if (measurement === '') fail('no measurement');
  const tags: Record<string, string> = {};
  while (line[at] === ',') {
    at++;
    const key = word(',= ', ',= ');
    if (key === '' || line[at++] !== '=') fail('tag without value');
    const text = word(', ', ',= ');
    if (text === '' || Object.hasOwn(tags, key)) fail('tag empty or twice');
    tags[key] = text;
  }
  const fields: Record<string, number | boolean | string | bigint> = {};
  let separator = ' ';
  do {
    if (line[at++] !== separator) fail('no fields');
    const key = word(',= ', ',= ');
    if (key === '' || line[at++] !== '=') fail('field without value');
    fields[key] = value();
    separator = ',';
  } while (line[at] === ',');
  const time = /^ (-?\d+)$/.exec(line.slice(at))?.[1] ?? fail('no time');
  return { measurement, tags, fields, timeNs: BigInt(time) };
}
