import { COMMANDS } from '../cli/commands.ts';

const roff = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('-', '\\-');

/** edgewood(1): the commands, with where to read more. Every command's own page is its `--help`. */
export function manualPage(version: string, date: Date): string {
  const commands = COMMANDS.filter(({ describe }) => describe !== false).map(
    ({ command, describe }) => `.TP\n.B edgewood ${roff(command)}\n${roff(String(describe))}.`,
  );
  return `.TH EDGEWOOD 1 "${date.toISOString().slice(0, 10)}" "edgewood ${version}" "User Commands"
.SH NAME
edgewood \\- watches a host from the host itself
.SH SYNOPSIS
.B edgewood
.I COMMAND
.RI [ OPTION ...]
.SH DESCRIPTION
Samples CPU, memory, network and disks, scores every sample with an embedded isolation forest, keeps everything in
SQLite, and raises few and well\\-explained alerts over MQTT, InfluxDB and webhooks.
.SH COMMANDS
${commands.join('\n')}
.PP
.B edgewood COMMAND \\-\\-help
shows the options of a command, with an example.
.SH FILES
.TP
.I /etc/edgewood/agent.yaml
Configuration; \\fBedgewood config show\\fR prints what holds, and where each value comes from.
.TP
.I /etc/edgewood/credentials
Secrets, handed over by systemd: \\fBpasswordFile: credential:NAME\\fR.
.TP
.I /var/lib/edgewood
Database, models and local socket.
.SH EXIT STATUS
0 done, 1 the check says no, 2 bad usage or input, 3 unreachable, 4 untrustworthy, 70 a bug.
`;
}
