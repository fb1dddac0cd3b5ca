import { KEYS, type Key } from './keys.ts';

/** Texts made from the table of settings, so that they can't grow old. */

const wrap = (text: string, width: number): string[] => {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1] as string;
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
};

/** docs/CONFIGURATION.md */
export function configurationReference(): string {
  const row = ({ path, expected, default: standard, doc, reload }: Key): string => {
    const cell = (text: string): string => text.replaceAll('|', '\\|');
    const live = reload === true || path.includes('[]') ? 'yes' : '';
    const fallback = standard === undefined ? '' : `\`${standard}\``;
    return `| \`${path}\` | ${cell(expected)} | ${fallback} | ${live} | ${cell(doc)} |`;
  };
  return [
    '# Configuration',
    '',
    'Made from the table of settings (`agent/config/keys.ts`) by `UPDATE_DOCS=1 npm test -- test/agent/reference.test.ts`.',
    '',
    'One YAML file, by default `/etc/edgewood/agent.yaml`; over it the environment, over that the flags. ' +
      '`edgewood config init` writes a commented file, `config check` tests one, `config show` prints what holds and where each value comes from. ' +
      'Another file: `--config FILE` or `EDGEWOOD_CONFIG`; none: `EDGEWOOD_CONFIG=` (empty). ' +
      'A flag’s variable is its name in capitals behind `EDGEWOOD_` (`--log-level`: `EDGEWOOD_LOG_LEVEL`).',
    '',
    'Secrets are never in the file, on a command line or in a log: `tokenFile`, `passwordFile` and `usernameFile` name files. ' +
      '`credential:NAME` stands for a file that systemd hands over (`LoadCredential=NAME:…`).',
    '',
    'On SIGHUP (`systemctl reload edgewood`) the agent reads its configuration again, between two samples. ' +
      'Settings marked *reload* hold at once; others wait for a restart, and the log names them. A faulty file changes nothing.',
    '',
    '| setting | expected | default | reload | what |',
    '|---|---|---|---|---|',
    ...KEYS.map(row),
    '',
  ].join('\n');
}

/** What `config init` writes: every setting, commented out, at its default. */
export function configurationTemplate(sinks: readonly Readonly<Record<string, string>>[]): string {
  const lines = [
    '## edgewood, the agent of this host. Every setting has a default; what is commented out shows it.',
    '## Check a change with `edgewood config check`, take it over with `systemctl reload edgewood`.',
  ];
  const said = new Set<string>();
  for (const { path, doc, expected, default: standard } of KEYS) {
    if (path.includes('[]')) continue;
    const [group, name] = path.split('.') as [string, string | undefined];
    const indent = name === undefined ? '' : '  ';
    if (name === undefined || !said.has(group)) lines.push('');
    if (name !== undefined && !said.has(group)) lines.push(`#${group}:`);
    said.add(group);
    for (const line of wrap(`${doc} Expected: ${expected}.`, 96)) lines.push(`## ${line}`);
    lines.push(`#${indent}${name ?? group}: ${standard ?? ''}`.trimEnd());
  }
  lines.push('', '## Where alerts and samples go. Secrets are in files: tokenFile, passwordFile.');
  const list = sinks.length > 0 ? sinks : [{ type: 'mqtt', url: 'mqtts://broker:8883' }];
  const comment = sinks.length > 0 ? '' : '#';
  lines.push(`${comment}sinks:`);
  for (const sink of list) {
    for (const [i, [key, value]] of Object.entries(sink).entries()) {
      lines.push(`${comment}  ${i === 0 ? '-' : ' '} ${key}: ${value}`);
    }
  }
  lines.push(
    '',
    '## Times in which no alert is raised, and which models do not learn from.',
    '#maintenance:',
    '#  - schedule: "0 2 * * sun"',
    '#    duration: 2h',
    '#    name: weekly patching',
  );
  return `${lines.join('\n')}\n`;
}
