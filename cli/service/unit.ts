/** What stands in the unit file. */
export interface UnitOptions {
  readonly executable: string;
  readonly config: string;
  readonly user: string;
}

export const UNIT_NAME = 'edgewood.service';
/** Files in here are handed over as credentials: `passwordFile: credential:NAME`. */
export const CREDENTIALS_DIR = '/etc/edgewood/credentials';

/**
 * The unit (systemd.service(5), systemd.exec(5)). Exposure by `systemd-analyze security`: 1.4. What is missing from a
 * full sandbox, and why: the network and the local socket are its work; /proc of others is what the five heaviest
 * processes are read from; V8 writes code as it goes, so MemoryDenyWriteExecute would stop it; ProtectHome=yes would
 * hide mounts from the disk figures.
 */
export function unitFile({ executable, config, user }: UnitOptions): string {
  return `# Written by edgewood. Own settings belong in a drop-in: systemctl edit edgewood
[Unit]
Description=edgewood: watches this host
After=network.target time-sync.target
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart=${executable} agent --config ${config}
ExecReload=/bin/kill -HUP $MAINPID
User=${user}
Group=${user}
StateDirectory=edgewood
StateDirectoryMode=0750
LogsDirectory=edgewood
LogsDirectoryMode=0750
LoadCredential=edgewood:${CREDENTIALS_DIR}
UMask=0077

# It says so itself when it is ready, and it is fed only by samples that were really taken.
WatchdogSec=120
TimeoutStartSec=180
# A stop delivers what it can within 8 seconds.
TimeoutStopSec=20
Restart=on-failure
RestartSec=5
# 2: a fault in the configuration, which no restart mends.
RestartPreventExitStatus=2

# 40 MB at rest, 75 while a model is fitted; 0.2 % of a core.
MemoryHigh=192M
MemoryMax=256M
CPUQuota=50%
TasksMax=64
LimitNOFILE=4096
LimitCORE=0
CPUWeight=50
IOWeight=50

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateMounts=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** What the Debian package installs; deploy/systemd/edgewood.service is this. */
export const SHIPPED_UNIT: UnitOptions = {
  executable: '/usr/bin/edgewood',
  config: '/etc/edgewood/agent.yaml',
  user: 'edgewood',
};

/** sysusers.d(5) */
export const sysusersFile = (user: string): string =>
  `# Written by edgewood.\nu ${user} - "edgewood agent" /var/lib/edgewood -\n`;
